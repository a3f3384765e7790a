"""Kills and failing calls where threads work beside each other: two workers, logs written beside the ledger's commit, large files written past the
page cache (sinks/direct.c), and a service whose batches are run within the transaction that admits their files.

Which call is the N-th is not the same in each run: no lists are compared, a run may end ahead of its call N (these are counted apart), and the
promises are those of crash_test and fault_test. Large files lie on a disk (INLET_CRASH_DISK), because memory takes no direct writes.
INLET_CRASH=all enumerates; otherwise a sample of about INLET_CRASH_SECONDS (default 40). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:kind[:N]] runs one workload, one kind (before, after, or a fault's name), one point."""
import functools, os, random, signal, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip

ENVIRONMENT["INLET_THREADS"] = "2"
SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "40"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")
BLOCK = str(1 << 20)  # What a direct write has (sinks/direct.h).
STAGED = re.compile(r"/_inlet/.*/\d+-\d{5}\.[^/]*$")
PATIENCE = 7  # Seconds that a service may go without anything seen of it, after which it is stopped; a full disk it tries again after 5.

def disk():
    """A folder on a file system that takes direct writes from inlet."""
    for folder in (os.environ.get("INLET_CRASH_DISK"), tempfile.gettempdir(), "/var/tmp", os.path.dirname(CRASHPOINT)):
        if folder and subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip() in ("ext2/ext3", "xfs"): return folder

class Threaded(Workload):
    """Two workers."""
    steady = False
    def sample(self, points, rng):
        return rng.sample(points, len(points))

class Large(Threaded):
    """Files of more than a block that cannot be packed."""
    place = disk()
    @functools.lru_cache
    def source(self, i):
        return [{"a": i * 100 + j, "b": random.Random(i * 100 + j).randbytes(self.width).hex(), "p": "even" if j % 2 == 0 else "odd"} for j in range(4)]

class Service(Threaded):
    """`inlet run`: group after group of files lands as soon as the sink's log shows the one before."""
    same_batches = False
    def sample(self, points, rng):
        """With few of those that wait for a full disk, seconds each."""
        return sorted(super().sample(points, rng), key=lambda point: getattr(point[0], "error", None) == "ENOSPC" and rng.random() > 0.03)

    def make(self, folder):
        super().make(folder)
        os.mkdir(os.path.join(folder, "coming"))
        for i in range(self.per_trigger, self.files): os.rename(*(os.path.join(folder, place, f"f{i:02d}.json") for place in ("landing", "coming")))
        with open(os.path.join(folder, "p.yaml")) as f: tree = json.load(f)
        tree["readStream"]["format"] = "cloudFiles"
        options = {"cloudFiles.format": "json", "cloudFiles.useNotifications": "true"}
        if self.clean == "archive":
            options.update({"cloudFiles.cleanSource": "MOVE", "cloudFiles.cleanSource.moveDestination": self.archive(folder),
                            "cloudFiles.cleanSource.retentionDuration": "0 seconds"})
        tree["readStream"]["options"] = options
        lib.write(os.path.join(folder, "p.yaml"), json.dumps(tree))

    def land(self, folder, count=None):
        for name in sorted(os.listdir(os.path.join(folder, "coming")))[:count]:
            os.rename(os.path.join(folder, "coming", name), os.path.join(folder, "landing", name))

    def tree(self, folder):
        return [name for name in super().tree(folder) if name != "coming"]

    def logged(self, folder):
        return len(glob.glob(folder + ("/out/_delta_log/*.json" if self.sink == "delta" else "/out/_spark_metadata/*")))

    def is_done(self, folder):
        here, _ = self.standing(folder)
        return not here if self.clean else len(self.rows(folder)) == len(self.all_rows())

    def wait(self, process, ready):
        """False: it has ended, or nothing comes of it any more."""
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if ready(): return True
            time.sleep(0.002)
        return False

    def serve(self, folder, process):
        seen = 0
        for group in range(1, (self.files + self.per_trigger - 1) // self.per_trigger):
            if not self.wait(process, lambda: self.logged(folder) > seen): return
            seen = self.logged(folder)
            self.land(folder, self.per_trigger)
        self.wait(process, lambda: self.is_done(folder))

    def traced(self, folder, *flags, only):
        with subprocess.Popen(below_tracer(folder, *flags, only=only, command="run"), cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as process:
            try:
                self.serve(folder, process)
                children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split() if process.poll() is None else []
                for child in children: os.kill(int(child), signal.SIGTERM)
                texts = process.communicate(timeout=TIMEOUT)
            finally:
                process.kill()
        self.land(folder)  # The rest, for the run that mends.
        assert process.returncode != 125, texts[1]
        return Run(process.returncode, *texts, listed(folder))

class Refused(Fault):
    """EINVAL: a direct write goes through the page cache then; any other write ends the run."""
    def codes_for(self, run, number, reference):
        call = run.call(number)
        if not call or not STAGED.search(call[4]): return (0, 1, 5)  # LMDB has its own.
        name = os.path.basename(call[4])
        nth = sum(1 for other in run.calls if other[1] == "write" and os.path.basename(other[4]) == name and int(other[0]) < number)
        sizes = [other[3] for other in reference.calls if other[1] == "write" and os.path.basename(other[4]) == name]
        return (0,) if sizes[nth] == BLOCK else (1,)

REFUSED = [Refused("refused-once", "fail", "EINVAL", "write", None), Refused("refused-on", "fail-from", "EINVAL", "write", None)]
FEW = [fault for fault in FAULTS if fault.name in ("no-space-once", "no-space-on", "io-error-once", "io-error-on", "done-but-told-io-error", "interrupted", "short-write")]

WORKLOADS = [
    (Threaded("parquet-archive", "parquet", "archive"), FAULTS),
    (Threaded("delta-delete", "delta", "delete"), FAULTS),
    (Large("large-json", "json", "delete", files=3, per_trigger=2, width=400000), FEW + REFUSED[:1]),
    (Large("large-parquet", "parquet", "archive", files=3, per_trigger=2, width=800000), FEW + REFUSED[:1]),
    (Service("service-parquet", "parquet", "archive", files=6, per_trigger=2), FEW),
    (Service("service-delta", "delta", None, files=6, per_trigger=2), FEW),
]

def references_of(workload, faults):
    """By classes; two runs, for what must not hang on how the threads took turns."""
    whole, again = Reference(workload), Reference(workload)
    for reference in (whole, again):
        assert not reference.breaches, "order of syncs:\n" + "\n".join(reference.breaches)
    if workload.same_batches:
        lib.equal(again.contents, whole.contents, "bytes of the data files of a second undisturbed run")
        lib.equal(again.tree, whole.tree, "names after a second undisturbed run")
    if isinstance(workload, Large): assert any(call[3] == BLOCK and STAGED.search(call[4]) for call in whole.calls), "no direct write was seen"
    return whole, {classes: Reference(workload, classes) for classes in sorted({fault.classes for fault in faults})}

def attempt(workload, whole, references, kind, number):
    if isinstance(kind, str): return kill_at(workload, whole, kind, number)
    return fail_at(workload, kind, references[kind.classes], number)

def break_everywhere(workload, faults):
    if ONLY[0] and ONLY[0] != workload.name: raise Skip("not asked for")
    if not workload.place: raise Skip("no folder on ext4 or XFS: set INLET_CRASH_DISK")
    whole, references = aside(lambda: references_of(workload, faults))
    points = [(side, number) for number in range(1, whole.count + 1) for side in ("before", "after")]
    points += [(fault, number) for fault in faults for number in failable(references[fault.classes])]
    total = len(points)
    if ONLY[1]: points = [point for point in points if ONLY[1] == getattr(point[0], "name", point[0])]
    if ONLY[2]: points = [point for point in points if point[1] == int(ONLY[2])]
    if not ALL: points = workload.sample(points, random.Random(f"{SEED} {workload.name}"))
    MISSED.value = 0
    done, faults = try_points(points, lambda kind, number: attempt(workload, whole, references, kind, number), None if ALL or ONLY[0] else SECONDS / len(WORKLOADS))
    report(workload, f"{done} of {total} kills and failing calls, {MISSED.value} not reached", faults)

def add(workload, faults):
    def run(): break_everywhere(workload, faults)
    run.__doc__ = f"{workload.name}, two workers: {'every' if ALL else 'some'} call killed at or failed, the rest is done once"
    test(run)

for each in WORKLOADS: add(*each)
main()

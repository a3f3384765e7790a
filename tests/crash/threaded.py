"""threaded -- workloads whose threads work beside each other: two workers, large files on a disk, a service. Run them with INLET_THREADS=2."""
import contextlib, functools, os, random, signal, subprocess, tempfile, time
from harness import *

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
                for child in children:
                    with contextlib.suppress(ProcessLookupError): os.kill(int(child), signal.SIGTERM)  # It may just have ended.
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

"""Makes every system call that can fail, fail: once, and from then on; and lets a run without faults put things right.

INLET_CRASH=all enumerates; otherwise a sample of about INLET_CRASH_SECONDS (default 40). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:fault[:N]] runs one workload, one fault, one point."""
import os, random, re, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip
import lib

ALL = os.environ.get("INLET_CRASH") == "all"
SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "40"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")
SHOW = int(os.environ.get("INLET_CRASH_SHOW", "5"))

WORKLOADS = [Workload("parquet-archive", "parquet", "archive"), Workload("json-delete", "json", "delete"), Workload("csv-keep", "csv"),
             Workload("delta-archive", "delta", "archive"), Workload("delta-partitioned", "delta", "delete", partitioned=True),
             Workload("json-archive-across", "json", "archive", files=3, per_trigger=2, across=True),
             Workload("foreachBatch", "foreachBatch", "archive", files=3)]

class Fault:
    """flag: of the tracer; classes: what is counted; codes: exits that are right (0: it was overcome, or told as a warning)."""
    def __init__(self, name, flag, error, classes, codes):
        self.name, self.flag, self.error, self.classes, self.codes = name, flag, error, classes, codes
    def words(self, number):
        return f"--{self.flag}={number}" + (f":{self.error}" if self.error else "")

GROWS = "create,write,truncate,rename,link,mkdir,sync"
FAULTS = [
    Fault("no-space-once", "fail", "ENOSPC", GROWS, (0, 5)),
    Fault("no-space-on", "fail-from", "ENOSPC", GROWS, (0, 5)),
    Fault("io-error-once", "fail", "EIO", EVERYTHING, (0, 1)),
    Fault("io-error-on", "fail-from", "EIO", EVERYTHING, (0, 1)),
    Fault("done-but-told-io-error", "lie", "EIO", EVERYTHING, (0, 1)),
    Fault("interrupted", "fail", "EINTR", "write,read", (0,)),
    Fault("short-write", "short", None, "write", (0,)),
    Fault("no-descriptors-once", "fail", "EMFILE", "create,open", (0, 5)),
    Fault("no-descriptors-on", "fail-from", "EMFILE", "create,open", (0, 5)),
    Fault("read-error-once", "fail", "EIO", "read", (0, 1, 3)),
    Fault("read-only-on", "fail-from", "EROFS", "create,write,truncate,rename,link,unlink,mkdir,rmdir,attribute", (0, 1)),
]
SYSTEM = re.compile(r"\.so(\.|$)|ld\.so|^/(etc|proc|sys|usr|lib|lib64|bin)/|^/dev/(?!shm/)|^/tmp/(?!inlet-crash)|/release/inlet$|/san/inlet$|^$|^pipe:|^anon_inode:|^socket:|/got/")

def points_of(reference):
    """Not the loader of libraries, not what belongs to the command of foreachBatch."""
    return [int(call[0]) for call in reference.calls if not SYSTEM.search(call[4])]

def check_quarantine(workload, folder, run):
    """A source file that cannot be read is set aside, told, kept; all others are there."""
    failed = [f["path"] for f in map(json.loads, plainly(folder, "files", "--json", "--state", "failed", "p.yaml").out.strip().split("\n")) if f]
    assert len(failed) == 1 and os.path.exists(failed[0]), f"{failed} {run}"
    bad = int(re.search(r"f(\d+)\.json", failed[0]).group(1))
    wanted = {row["a"] for i in range(workload.files) if i != bad for row in workload.source(i)}
    if workload.exactly_once: lib.equal(sorted(workload.rows(folder)), sorted(wanted), "rows of the files that could be read")
    else: lib.equal(set(workload.rows(folder)), wanted, "rows of the files that could be read")

def attempt(workload, fault, reference, number):
    call = "?"
    try:
        call = reference.trace[number - 1]
        with Scratch(workload) as folder:
            run = traced(folder, fault.words(number), only=fault.classes)
            if not run.hit and fault.flag != "short": return f"call {number} was never reached: {run}"
            codes = fault.codes
            if re.search(r"/(data|lock)\.mdb$", reference.calls[number - 1][4]) and fault.name in ("short-write", "interrupted"):
                codes = (0, 1, 5)  # LMDB takes a short write for a full disk; local disks do not interrupt.
            assert run.code in codes, f"exit {run.code}, not {codes}: {run}"
            assert run.code == 0 or re.search(r"\[[A-Z_.]+\]", run.err), f"no condition in the message: {run}"
            assert "internal error" not in run.err, run
            if run.code == 0 and workload.exactly_once and '"unsettled_files":0' in run.out:
                lib.equal(sorted(workload.rows(folder)), workload.all_rows(), f"rows after a run that says it has done everything: {run}")
            check_meanwhile(workload, folder, run)
            if run.code == 3: return check_quarantine(workload, folder, run)
            check_recovery(workload, reference, folder, run, same_batches="descriptors" not in fault.name)
        return None
    except Exception as what:
        return f"{fault.name} {number} ({call}): {what}"

def fail_everywhere(workload):
    if ONLY[0] and ONLY[0] != workload.name: raise Skip("not asked for")
    deadline = time.monotonic() + SECONDS / len(WORKLOADS)
    rng = random.Random(f"{SEED} {workload.name}")
    references = {classes: Reference(workload, classes) for classes in {fault.classes for fault in FAULTS}}
    points = [(fault, number) for fault in FAULTS for number in points_of(references[fault.classes])]
    total = len(points)
    if ONLY[1]: points = [(fault, number) for fault, number in points if fault.name == ONLY[1]]
    if ONLY[2]: points = [(fault, number) for fault, number in points if number == int(ONLY[2])]
    if not ALL: rng.shuffle(points)
    faults, done = [], 0
    for fault, number in points:
        if not ALL and not ONLY[0] and time.monotonic() > deadline: break
        wrong = attempt(workload, fault, references[fault.classes], number)
        done += 1
        if wrong: faults.append(wrong)
    print(f"# {workload.name}: {done} of {total} failing calls, {len(faults)} faults" + ("" if ALL else f", seed {SEED}"), flush=True)
    assert not faults, f"{len(faults)} faults; the first:\n" + "\n".join(faults[:SHOW])

def add(workload):
    def run(): fail_everywhere(workload)
    run.__doc__ = f"{workload.name}: {'every' if ALL else 'some'} failing call is told or overcome, and the next run puts things right"
    test(run)

for each in WORKLOADS: add(each)
main()

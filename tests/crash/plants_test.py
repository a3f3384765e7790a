"""Tests the testers: inlet with a fault compiled in (base/plant.h) must be caught, by the stage that is there for it.

The stages: run (the undisturbed run is wrong), lint (order of syncs and names), kill (crash_test), power and power behind a kill (powerloss_test), or
the name of a fault (fault_test).
PLANT_BUILD names the folder of libinlet.a and the objects of the program; PLANT=n tries one. INLET_CRASH=all tries every one, else it ends after about
twice INLET_CRASH_SECONDS."""
import os, random, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from powerloss import *
from threaded import *
from lib import test, main, SEED, Skip

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("PLANT_BUILD", os.path.join(ROOT, "build/release"))
ONLY = os.environ.get("PLANT")
ALL = os.environ.get("INLET_CRASH") == "all"
DEADLINE = time.monotonic() + 2 * float(os.environ.get("INLET_CRASH_SECONDS", "30"))

PARQUET = Workload("parquet", "parquet", "archive", files=3)
JSON = Workload("json", "json", "delete", files=3)
DELTA = Workload("delta", "delta", "delete", files=3)
PARTITIONED = Workload("partitioned", "parquet", None, files=2, partitioned=True)
ACROSS = Workload("across", "json", "archive", files=2, across=True)
THREADED = Threaded("threaded", "parquet", None, files=3)
LARGE = Large("large", "json", None, files=2, width=400000)
LONELY = Workload("lonely", "json", "archive", files=1, across=True)

PLANTS = [  # Number, what is wrong, workload, stage.
    (1, "staged files are not synced", PARQUET, "lint"),
    (1, "staged files are not synced", PARQUET, "power"),
    (2, "the ledger commits without a sync", JSON, "power"),
    (3, "the sink's folders are not synced behind the renames", PARQUET, "lint"),
    (3, "the sink's folders are not synced behind the renames", PARQUET, "power"),
    (5, "the folder above a new folder is not synced", PARTITIONED, "lint"),
    (5, "the folder above a new folder is not synced", PARTITIONED, "power"),
    (7, "the ledger commits before the sink", JSON, "kill"),
    (8, "a prepared batch is run again instead of published", JSON, "kill"),
    (10, "source files are deleted before the commit", JSON, "kill"),
    (10, "source files are deleted before the commit", JSON, "lint"),
    (11, "a file gets its name without having been synced", JSON, "lint"),
    (11, "a file gets its name without having been synced", JSON, "power"),
    (13, "a move to another file system is taken for done", ACROSS, "run"),
    (14, "the ledger hears of a cleaned file before its folder is synced", JSON, "lint"),
    (14, "the ledger hears of a cleaned file before its folder is synced", JSON, "power"),
    (15, "the rest of a short write is forgotten", JSON, "short-write"),
    (16, "an interrupted write is an error", JSON, "interrupted"),
    (18, "a failed sync is tried again", JSON, "io-error-once"),
    (19, "a file that could not be written gets its name", DELTA, "no-space-once"),
    (22, "the log's entry is looked for, then renamed into place", DELTA, "lint"),
    (23, "Delta's transaction id is not looked at", DELTA, "kill"),
    (41, "the sink publishes before the ledger knows the manifest", JSON, "kill"),
    (42, "staged files of a killed run are not swept", PARQUET, "kill"),
    (43, "the folder that files went from is synced before the one they went to", PARQUET, "power"),
    (44, "a folder that a killed run made is taken for durable", PARQUET, "power behind a kill"),
    (45, "a log's entry that a killed run made is taken for durable", DELTA, "power behind a kill"),
    (47, "a file that a killed run took away is taken for durably gone", JSON, "power behind a kill"),
    (48, "the names of staged files are not synced", PARQUET, "power"),
    (49, "a new file's name is not synced", JSON, "power"),
    (50, "the names in a new ledger are not synced", JSON, "power"),
    (51, "the folder of a copy that a killed run made is not synced", LONELY, "power behind a kill"),
    (52, "a row that is merged stays where it was", JSON, "run"),
    (53, "a sync of the log that failed beside another one is not heard of", THREADED, "io-error-once"),
    (54, "a sync of the staging folder that failed beside another one is not heard of", THREADED, "io-error-once"),
    (55, "the rest of a short direct write is forgotten", LARGE, "short-write"),
]

def build(number, folder):
    """Only the files with this fault are compiled; the linker takes them in front of the library's."""
    names = subprocess.run(["grep", "-rlE", rf"PLANTED\({number}\)", "--include=*.c", "."], cwd=ROOT, capture_output=True, text=True).stdout.split()
    names = [name for name in names if not name.startswith("./tests")]
    assert names, f"no source file has PLANTED({number})"
    program = os.path.join(folder, "inlet")
    objects = sorted(glob.glob(BUILD + "/cli/*.o"))
    subprocess.run(["gcc", "-std=c17", "-pthread", "-O1", "-w", "-I.", "-D_GNU_SOURCE", "-DNDEBUG", '-DINLET_VERSION="planted"', f"-DPLANT={number}", "-o", program,
                    *names, *objects, BUILD + "/libinlet.a", *"-llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread".split()],
                   cwd=ROOT, check=True, timeout=300)
    return program

def caught_by_kill(workload, reference):
    points = [(side, number) for number in range(1, reference.count + 1) for side in ("before", "after")]
    random.Random(SEED).shuffle(points)
    return next((fault for side, number in points if (fault := kill_at(workload, reference, side, number))), None)

def caught_by_fault(workload, name):
    fault = next(fault for fault in FAULTS if fault.name == name)
    reference = Reference(workload, fault.classes)
    points = failable(reference)
    random.Random(SEED).shuffle(points)
    return next((wrong for number in points if (wrong := fail_at(workload, fault, reference, number))), None)

def caught_by_power(workload, reference):
    with Recording(workload) as recording:
        points = [(number, how) for number in range(len(recording.calls) + 1) for how in (*HOWS, "1")]
        random.Random(SEED).shuffle(points)
        return next((fault for number, how in points if (fault := recording.cut(reference, number, how))), None)

def caught_behind_kill(workload, reference):
    starts = syncs_of(reference)
    random.Random(SEED).shuffle(starts)
    for killed in starts:
        with Recording(workload, killed) as recording:
            for number in range(len(recording.calls) + 1):
                fault = recording.cut(reference, number, "lost")
                if fault: return fault

def catch(workload, stage):
    if stage == "run":
        try:
            Reference(workload)
        except AssertionError as wrong:
            return str(wrong)
        return None
    if stage == "lint": return next(iter(Reference(workload).breaches), None)
    if stage == "power": return caught_by_power(workload, Reference(workload))
    if stage == "power behind a kill": return caught_behind_kill(workload, Reference(workload))
    if stage == "kill": return caught_by_kill(workload, Reference(workload))
    return caught_by_fault(workload, stage)

def add(number, title, workload, stage):
    def run():
        if ONLY and ONLY != str(number): raise Skip("not asked for")
        if not (ALL or ONLY) and time.monotonic() > DEADLINE: raise Skip("left for make crash")
        if not workload.place: raise Skip("no folder on ext4 or XFS: set INLET_CRASH_DISK")
        ENVIRONMENT["INLET_THREADS"] = "1" if workload.steady else "2"
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            use_program(build(number, folder))
            found = catch(workload, stage)
        assert found, f"plant {number} was not caught"
        print(f"# plant {number}: {found.splitlines()[0][:300]}", flush=True)
    run.__doc__ = f"{stage} catches plant {number}: {title}"
    test(run)

for plant in PLANTS if ALL else random.Random(SEED).sample(PLANTS, len(PLANTS)): add(*plant)
main()

"""Tests the testers: inlet with a fault compiled in (base/plant.h) must be caught, by the stage that is there for it.

The stages: run (the undisturbed run is wrong), lint (order of syncs and names), kill (crash_test), or the name of a fault (fault_test).
PLANT_BUILD names the folder of libinlet.a and the objects of the program; PLANT=n tries one."""
import os, random, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("PLANT_BUILD", os.path.join(ROOT, "build/release"))
ONLY = os.environ.get("PLANT")

PARQUET = Workload("parquet", "parquet", "archive", files=3)
JSON = Workload("json", "json", "delete", files=3)
DELTA = Workload("delta", "delta", "delete", files=3)
PARTITIONED = Workload("partitioned", "parquet", None, files=2, partitioned=True)
ACROSS = Workload("across", "json", "archive", files=2, across=True)

PLANTS = [  # Number, what is wrong, workload, stage.
    (1, "staged files are not synced", PARQUET, "lint"),
    (3, "the sink's folders are not synced behind the renames", PARQUET, "lint"),
    (5, "the folder above a new folder is not synced", PARTITIONED, "lint"),
    (7, "the ledger commits before the sink", JSON, "kill"),
    (8, "a prepared batch is run again instead of published", JSON, "kill"),
    (10, "source files are deleted before the commit", JSON, "kill"),
    (10, "source files are deleted before the commit", JSON, "lint"),
    (11, "a file gets its name without having been synced", JSON, "lint"),
    (13, "a move to another file system is taken for done", ACROSS, "run"),
    (14, "the ledger hears of a cleaned file before its folder is synced", JSON, "lint"),
    (15, "the rest of a short write is forgotten", JSON, "short-write"),
    (16, "an interrupted write is an error", JSON, "interrupted"),
    (18, "a failed sync is tried again", JSON, "io-error-once"),
    (22, "the log's entry is looked for, then renamed into place", DELTA, "lint"),
    (23, "Delta's transaction id is not looked at", DELTA, "kill"),
    (41, "the sink publishes before the ledger knows the manifest", JSON, "kill"),
    (42, "staged files of a killed run are not swept", PARQUET, "kill"),
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

def catch(workload, stage):
    if stage == "run":
        try:
            Reference(workload)
        except AssertionError as wrong:
            return str(wrong)
        return None
    if stage == "lint": return next(iter(Reference(workload).breaches), None)
    if stage == "kill": return caught_by_kill(workload, Reference(workload))
    return caught_by_fault(workload, stage)

def add(number, title, workload, stage):
    def run():
        if ONLY and ONLY != str(number): raise Skip("not asked for")
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            use_program(build(number, folder))
            found = catch(workload, stage)
        assert found, f"plant {number} was not caught"
        print(f"# plant {number}: {found.splitlines()[0][:300]}", flush=True)
    run.__doc__ = f"{stage} catches plant {number}: {title}"
    test(run)

for plant in PLANTS: add(*plant)
main()

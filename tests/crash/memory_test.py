"""Lets every allocation fail, once and from then on: the run says so and ends, and the next one puts things right.

INLET_CRASH=all enumerates; otherwise a sample of about INLET_CRASH_SECONDS (default 20). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:once|from[:N]] runs one workload, one kind, one allocation."""
import os, random, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip

SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "20"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")
LIBRARY = os.environ.get("NOMEMORY", os.path.join(os.path.dirname(os.path.abspath(CRASHPOINT)), "nomemory.so"))
WORKLOADS = [Workload("parquet-archive", "parquet", "archive", files=3), Workload("delta-delete", "delta", "delete", files=3)]

def starved(folder, **variables):
    p = subprocess.run([program(), "once", "p.yaml"], cwd=folder, env={**ENVIRONMENT, "LD_PRELOAD": LIBRARY, **variables}, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=TIMEOUT)
    return Run(p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"), [])

def count_allocations(workload):
    with Scratch(workload) as folder:
        path = os.path.join(folder, "list")
        run = starved(folder, NOMEMORY_COUNT=path)
        assert run.code == 0, run
        return int(open(path).read())

def starve_at(workload, reference, kind, number):
    try:
        with Scratch(workload) as folder:
            run = starved(folder, **{"NOMEMORY_AT" if kind == "once" else "NOMEMORY_FROM": str(number)})
            assert run.code in (0, 5), f"exit {run.code}: {run}"
            assert run.code == 0 or "[INLET_NO_MEMORY]" in run.err, f"no condition in the message: {run}"
            check_meanwhile(workload, folder, run)
            check_recovery(workload, reference, folder, run, same_batches=False)
        return None
    except Exception as what:
        return f"allocation {number}, {kind}: {what}"

def starve_everywhere(workload):
    if ONLY[0] and ONLY[0] != workload.name: raise Skip("not asked for")
    reference = aside(lambda: Reference(workload))
    points = [(kind, number) for number in range(1, count_allocations(workload) + 1) for kind in ("once", "from")]
    total = len(points)
    if ONLY[1]: points = [point for point in points if point[0] == ONLY[1]]
    if ONLY[2]: points = [point for point in points if point[1] == int(ONLY[2])]
    if not ALL: random.Random(f"{SEED} {workload.name}").shuffle(points)
    done, faults = try_points(points, lambda kind, number: starve_at(workload, reference, kind, number), None if ALL or ONLY[0] else SECONDS / len(WORKLOADS))
    report(workload, f"{done} of {total} failing allocations", faults)

def add(workload):
    def run(): starve_everywhere(workload)
    run.__doc__ = f"{workload.name}: {'every' if ALL else 'some'} failing allocation ends the run with a message, and the next one puts things right"
    test(run)

for each in WORKLOADS: add(each)
main()

"""Kills inlet right before and right after every one of its state-changing system calls, then lets it run to the end.

INLET_CRASH=all enumerates every point; otherwise a sample that takes about INLET_CRASH_SECONDS (default 60).
INLET_SEED repeats a sample. INLET_CRASH_ONLY=workload[:side:N] runs one workload, or one point of it."""
import os, random, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip
import lib

SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "60"))
TWICE = int(os.environ.get("INLET_CRASH_PAIRS", "500"))
ONLY = os.environ.get("INLET_CRASH_ONLY", "")

WORKLOADS = [Workload(f"{sink}-{clean or 'keep'}", sink, clean) for sink in ("parquet", "json", "csv", "delta") for clean in (None, "archive", "delete")]
WORKLOADS += [
    Workload("parquet-partitioned", "parquet", "archive", partitioned=True),
    Workload("delta-partitioned", "delta", "delete", partitioned=True),
    Workload("json-archive-across", "json", "archive", files=3, per_trigger=2, across=True),
    Workload("parquet-large", "parquet", "archive", width=100000),  # Planned ahead of reading, but for the last batch.
    Workload("json-compaction", "json", None, files=11, per_trigger=1),
    Workload("delta-checkpoint", "delta", None, files=12, per_trigger=1),
    Workload("foreachBatch", "foreachBatch", "archive"),
    Workload("console", "console", "delete"),
]

def points_of(workload, count, rng):
    points = [(side, number) for number in range(1, count + 1) for side in ("before", "after")]
    if ":" in ONLY:
        side, number = ONLY.split(":")[1:]
        return [(side, int(number))]
    if not ALL: rng.shuffle(points)
    return points

def kill_everywhere(workload):
    if ONLY and ONLY.split(":")[0] != workload.name: raise Skip("not asked for")
    reference, again = aside(lambda: (Reference(workload), Reference(workload)))
    if workload.sink != "foreachBatch":  # Its command's files are named by process.
        lib.equal(again.order, reference.order, "the calls of a second undisturbed run")
    lib.equal(again.count, reference.count, "the number of calls of a second undisturbed run")
    assert not reference.breaches, "order of syncs:\n" + "\n".join(reference.breaches)
    points = points_of(workload, reference.count, random.Random(f"{SEED} {workload.name}"))
    done, faults = try_points(points, lambda side, number: kill_at(workload, reference, side, number), None if ALL or ONLY else SECONDS / len(WORKLOADS))
    report(workload, f"{done} of {2 * reference.count} kills", faults)

def kill_recovery(workload):
    if ONLY: raise Skip("not asked for")
    reference = aside(lambda: Reference(workload))
    done, faults = try_points([(i,) for i in range(TWICE)], lambda i: kill_twice(workload, reference, random.Random(f"{SEED} twice {workload.name} {i}")),
                              None if ALL else SECONDS / len(WORKLOADS))
    report(workload, f"{done} pairs of kills" + (f", seed {SEED}" if ALL else ""), faults)

def add_twice(workload):
    def run(): kill_recovery(workload)
    run.__doc__ = f"{workload.name}: killed, and killed again while the next run mends"
    test(run)

def add(workload):
    def run(): kill_everywhere(workload)
    run.__doc__ = f"{workload.name}: killed at {'every' if ALL else 'some'} state-changing call, the rest is done {'once' if workload.exactly_once else 'at least once'}"
    test(run)

for each in WORKLOADS: add(each)
for each in WORKLOADS:
    if each.name in ("parquet-archive", "csv-delete", "delta-delete", "json-archive-across"): add_twice(each)
main()

"""Cuts the power at every state-changing system call: what was not synced is lost, or part of it survives, and inlet goes on from what the disk holds.

A run is recorded (`crashpoint --record`); from the record the trees are rebuilt that a disk may hold after each call (powercut.py): nothing
unsynced, names without bytes, bytes without names, random parts. Each tree that differs is judged as a killed run is: right away, as a reader sees it, and
after a run that mends. A second kind kills the run first and cuts the power while the next one mends: what that one found was in memory only.

INLET_CRASH=all takes every tree; otherwise a sample of about INLET_CRASH_SECONDS (default 20). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:N:how] runs one workload, or one tree of it; how is lost, names, sizes, bytes or a number for a random part.
INLET_CRASH_ONLY=workload:K/N:how is one of the second kind: killed after call K, power cut after call N of the run that mends."""
import os, random, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from powerloss import *
from lib import test, main, SEED, Skip

SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "20"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")
RANDOM = int(os.environ.get("INLET_CRASH_RANDOM", "3"))

WORKLOADS = [Workload(f"{sink}-{clean or 'keep'}", sink, clean, files=3) for sink in ("parquet", "json", "delta") for clean in (None, "archive", "delete")]
WORKLOADS += [
    Workload("parquet-partitioned", "parquet", "archive", files=3, partitioned=True),
    Workload("delta-partitioned", "delta", "delete", files=3, partitioned=True),
    Workload("json-archive-across", "json", "archive", files=3, across=True),
    Workload("parquet-large", "parquet", "archive", files=3, width=100000),  # Planned ahead of reading, but for the last batch.
    Workload("json-compaction", "json", None, files=11, per_trigger=1),
    Workload("delta-checkpoint", "delta", None, files=12, per_trigger=1),
]

def starts_of(reference, kills, rng):
    """Where the first run is killed; None: it is not."""
    if not kills: return [None]
    if ONLY[1]: return [int(ONLY[1].split("/")[0])]
    return syncs_of(reference) if ALL else rng.sample(syncs_of(reference), 1)

def points_of(recording, rng):
    if ONLY[1]: return [(int(ONLY[1].split("/")[-1]), how) for how in ([ONLY[2]] if ONLY[2] else HOWS)]
    hows = ("lost",) if recording.killed else HOWS
    points = [(number, how) for number in range(len(recording.calls) + 1) for how in (*hows, *(str(rng.randrange(1000000)) for _ in range(RANDOM // (2 if recording.killed else 1))))]
    if not ALL: rng.shuffle(points)
    return points

def cut_part(workload, reference, killed, seed, deadline, part=0, parts=1):
    """Every parts-th of the trees that differ. How many differ, how many were judged, and what went wrong."""
    faults, judged = [], 0
    with Recording(workload, killed) as recording:
        for number, how in points_of(recording, random.Random(seed)):
            if not (ALL or ONLY[1]) and time.monotonic() > deadline: break
            trees = recording.new_trees(number, how)
            if not trees or len(recording.seen) % parts != part: continue
            fault = recording.judge(reference, number, how, trees)
            judged += 1
            if fault: faults.append(fault)
        return len(recording.seen), judged, faults

def cut_everywhere(workload, kills):
    if ONLY[0] and ONLY[0] != workload.name or ONLY[1] and ("/" in ONLY[1]) != kills: raise Skip("not asked for")
    deadline = time.monotonic() + SECONDS / len(WORKLOADS) / 2
    reference = aside(lambda: Reference(workload))
    rng = random.Random(f"{SEED} {workload.name} {kills}")
    starts = [(killed, rng.random()) for killed in starts_of(reference, kills, rng)]
    def cut(starts, part=0, parts=1):
        return [cut_part(workload, reference, killed, seed, deadline, part, parts) for killed, seed in starts]
    if JOBS == 1: answers = cut(starts)
    elif kills: answers = sum(apart([lambda part=part: cut(starts[part::JOBS]) for part in range(JOBS)]), [])
    else:
        answers = sum(apart([lambda part=part: cut(starts, part, JOBS) for part in range(JOBS)]), [])
        assert len({differ for differ, _, _ in answers}) == 1, f"the recordings of one workload differ: {[differ for differ, _, _ in answers]} trees"
    trees, faults = sum(judged for _, judged, _ in answers), [fault for _, _, found in answers for fault in found]
    behind = f" behind {len(starts)} kills" if kills else ""
    report(workload, f"{trees} trees after a power cut{behind}", faults)

def add(workload, kills):
    def run(): cut_everywhere(workload, kills)
    run.__doc__ = (f"{workload.name}: power lost at {'every' if ALL else 'some'} call" + (" of a run that mends what a killed one left" if kills else "") +
                   ", whatever survives of what was not synced, and the next run puts things right")
    test(run)

for each in WORKLOADS:
    add(each, False)
    add(each, True)
main()

"""Kills, failing calls and power cuts where threads work beside each other: two workers, logs written beside the ledger's commit, large files written past the
page cache (sinks/direct.c), and a service whose batches are run within the transaction that admits their files.

Which call is the N-th is not the same in each run: no lists are compared, a run may end ahead of its call N (these are counted apart), and the
promises are those of crash_test, fault_test and powerloss_test. Large files lie on a disk (INLET_CRASH_DISK), because memory takes no direct writes.
INLET_CRASH=all enumerates; otherwise a sample of about INLET_CRASH_SECONDS (default 40). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:kind[:N]] runs one workload, one kind (before, after, power, or a fault's name), one point."""
import os, random, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from powerloss import *
from threaded import *
from lib import test, main, SEED, Skip

ENVIRONMENT["INLET_THREADS"] = "2"
SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "40"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")
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
    if ONLY[0] and ONLY[0] != workload.name or ONLY[1] == "power": raise Skip("not asked for")
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

def starts_of(reference, part, rng):
    """None: the first run is recorded. A number: it is killed there, and the one that mends is recorded."""
    syncs = syncs_of(reference)
    return [None, *(syncs[part::JOBS] if ALL else rng.sample(syncs, 1))]

def cut_part(workload, reference, part, deadline):
    """Each process records runs of its own, and takes every JOBS-th tree."""
    rng, trees, faults = random.Random(f"{SEED} {workload.name} {part}"), 0, []
    for killed in starts_of(reference, part, rng):
        with Recording(workload, killed) as recording:
            points = [(number, how) for number in range(len(recording.calls) + 1) for how in (("lost", "1") if killed else (*HOWS, "1", "2"))]
            if not killed: points = points[part::JOBS]
            if not ALL: rng.shuffle(points)
            for number, how in points:
                if not ALL and time.monotonic() > deadline(killed): break
                found = recording.new_trees(number, how)
                if not found: continue
                fault = recording.judge(reference, number, how, found)
                trees += 1
                if fault: faults.append(fault)
    return trees, faults

def cut_everywhere(workload):
    if ONLY[0] and ONLY[0] != workload.name or ONLY[1] not in ("", "power"): raise Skip("not asked for")
    if not workload.place: raise Skip("no folder on ext4 or XFS: set INLET_CRASH_DISK")
    reference, share, start = aside(lambda: Reference(workload)), SECONDS / len(WORKLOADS) / 2, time.monotonic()
    deadline = lambda killed: start + share * (2 if killed else 1)
    works = [lambda part=part: cut_part(workload, reference, part, deadline) for part in range(JOBS)]
    answers = [works[0]()] if JOBS == 1 else apart(works)
    report(workload, f"{sum(trees for trees, _ in answers)} trees after a power cut", [fault for _, faults in answers for fault in faults])

def add_power(workload):
    def run(): cut_everywhere(workload)
    run.__doc__ = f"{workload.name}, two workers: power lost, also while a killed run is mended, and the next run puts things right"
    test(run)

def add(workload, faults):
    def run(): break_everywhere(workload, faults)
    run.__doc__ = f"{workload.name}, two workers: {'every' if ALL else 'some'} call killed at or failed, the rest is done once"
    test(run)

for each in WORKLOADS: add(*each)
for each in (Threaded("parquet-archive", "parquet", "archive", files=3), Threaded("delta-delete", "delta", "delete", files=3),
             Large("large-json", "json", "delete", files=3, per_trigger=2, width=400000)): add_power(each)
main()

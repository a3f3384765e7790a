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

def fail_everywhere(workload):
    if ONLY[0] and ONLY[0] != workload.name: raise Skip("not asked for")
    deadline = time.monotonic() + SECONDS / len(WORKLOADS)
    rng = random.Random(f"{SEED} {workload.name}")
    references = {classes: Reference(workload, classes) for classes in {fault.classes for fault in FAULTS}}
    points = [(fault, number) for fault in FAULTS for number in failable(references[fault.classes])]
    total = len(points)
    if ONLY[1]: points = [(fault, number) for fault, number in points if fault.name == ONLY[1]]
    if ONLY[2]: points = [(fault, number) for fault, number in points if number == int(ONLY[2])]
    if not ALL: rng.shuffle(points)
    faults, done = [], 0
    for fault, number in points:
        if not ALL and not ONLY[0] and time.monotonic() > deadline: break
        wrong = fail_at(workload, fault, references[fault.classes], number)
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

"""Makes every system call that can fail, fail: once, and from then on; and lets a run without faults put things right.

INLET_CRASH=all enumerates; otherwise a sample of about INLET_CRASH_SECONDS (default 40). INLET_SEED repeats a sample.
INLET_CRASH_ONLY=workload[:fault[:N]] runs one workload, one fault, one point."""
import os, random, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
from harness import *
from lib import test, main, SEED, Skip

SECONDS = float(os.environ.get("INLET_CRASH_SECONDS", "40"))
ONLY = (os.environ.get("INLET_CRASH_ONLY", "") + "::").split(":")

WORKLOADS = [Workload("parquet-archive", "parquet", "archive"), Workload("json-delete", "json", "delete"), Workload("csv-keep", "csv"),
             Workload("delta-archive", "delta", "archive"), Workload("delta-partitioned", "delta", "delete", partitioned=True),
             Workload("json-archive-across", "json", "archive", files=3, per_trigger=2, across=True),
             Workload("foreachBatch", "foreachBatch", "archive", files=3)]

def fail_everywhere(workload):
    if ONLY[0] and ONLY[0] != workload.name: raise Skip("not asked for")
    references = aside(lambda: {classes: Reference(workload, classes) for classes in sorted({fault.classes for fault in FAULTS})})
    points = [(fault, number) for fault in FAULTS for number in failable(references[fault.classes])]
    total = len(points)
    if ONLY[1]: points = [(fault, number) for fault, number in points if fault.name == ONLY[1]]
    if ONLY[2]: points = [(fault, number) for fault, number in points if number == int(ONLY[2])]
    if not ALL: random.Random(f"{SEED} {workload.name}").shuffle(points)
    done, faults = try_points(points, lambda fault, number: fail_at(workload, fault, references[fault.classes], number),
                              None if ALL or ONLY[0] else SECONDS / len(WORKLOADS))
    report(workload, f"{done} of {total} failing calls", faults)

def add(workload):
    def run(): fail_everywhere(workload)
    run.__doc__ = f"{workload.name}: {'every' if ALL else 'some'} failing call is told or overcome, and the next run puts things right"
    test(run)

for each in WORKLOADS: add(each)
main()

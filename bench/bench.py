"""bench -- runs the workloads of the performance targets and writes the table, its numbers and a plot.

  bench/run [--quick] [--only WORD]... [--data FOLDER] [--results FOLDER] [--runs N]

Each pair is run in turn (peer, ours, peer, ours ...) on the same data with a warm cache; ratios are taken pair by pair.
"""
import argparse, os, sys, time, traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import manyfiles, reaction, report, streams
from measure import HERE, Bench, machine

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the data: a smoke test, its ratios say little")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="workloads whose name contains WORD")
    parser.add_argument("--data", default=os.environ.get("BENCH_DATA", os.path.join(HERE, "data")))
    parser.add_argument("--results", default=os.path.join(HERE, "results"))
    parser.add_argument("--runs", type=int, default=0, help="pairs per row (5; --quick 1)")
    words = parser.parse_args()
    bench = Bench(words.data, words.quick, words.runs or (1 if words.quick else 5))
    start, failed = time.time(), []
    for workload in streams.WORKLOADS + manyfiles.WORKLOADS + reaction.WORKLOADS:
        if words.only and not any(word in workload.__name__ for word in words.only): continue
        try:
            workload(bench)
        except Exception:
            failed.append(workload.__name__)
            traceback.print_exc()
    facts = {**machine(), "quick": words.quick, "minutes": round((time.time() - start) / 60, 1), "not_measured": failed}
    print(report.table(bench.rows, facts))
    report.write(words.results, bench.rows, facts)
    sys.exit(1 if failed else 0)

main()

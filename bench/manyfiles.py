"""manyfiles -- workloads of many small files: the first load, triggers with little or nothing new, the ledger at ten million."""
import os, shutil, subprocess, time
import shapes
from measure import *

COLUMNS = shapes.spark_ddl("tree")

def tree(bench, name, folders, files, first=0):
    """folders x files one-record files with names of 24 bytes."""
    folder = bench.path(f"{name}-{folders}x{files}")
    if not os.path.isdir(folder):
        subprocess.run([bench.generate, "tree", folder + ".new", str(folders), str(files), str(first)], check=True)
        os.rename(folder + ".new", folder)
    return folder

def read_all(folder):
    start = time.perf_counter()
    subprocess.run(f"find '{folder}' -type f -print0 | xargs -0 cat > /dev/null", shell=True, check=True)
    return time.perf_counter() - start

def find(folder):
    start = time.perf_counter()
    subprocess.run(["find", folder, "-type", "f"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start

def pipeline_of(work, folder, **more):
    return write_pipeline(work, folder, COLUMNS, reader={"recursiveFileLookup": "true", **more.pop("reader", {})}, **more)

def start_up(bench):
    """`inlet once` on an empty folder with its own checkpoint, second run: what starting costs."""
    work = fresh(bench.path("empty"))
    os.makedirs(os.path.join(work, "in"))
    pipeline = pipeline_of(work, os.path.join(work, "in"))
    run_inlet(pipeline)
    return median(run_inlet(pipeline)[0] for _ in range(9))

def first_load(bench):
    folder = tree(bench, "first", 100, bench.scale(2000))
    count = 100 * bench.scale(2000)
    read_all(folder)
    found = []
    for _ in range(max(1, bench.runs - 2)):
        cat = read_all(folder)
        work = fresh(bench.path("work"))
        seconds, summary = run_inlet(pipeline_of(work, folder), bench.threads)
        found.append((cat, seconds))
    bench.cheaper(f"{count:,} one-record files, first load", "find | xargs cat", found, 0.6)
    theirs = run_peer("polars", "tree", "snappy", f"{folder}/*/*.json", os.path.join(fresh(bench.path("peer")), "out.parquet"), bench.threads)
    bench.faster(f"{count:,} one-record files, first load", "Polars", [(theirs, median(o for _, o in found))], 10)

def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as f: return int(f.read().split()[0]) / 1e9

def idle_trigger(bench, pipeline):
    """Seconds of processor time that a running service takes per trigger, one a second, which finds nothing (all is cached, so it waits for nothing)."""
    service = subprocess.Popen([INLET, "run", "--quiet", pipeline], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(bench.threads))
    try:
        time.sleep(2.5)
        before = cpu_seconds(service.pid)
        time.sleep(10)
        return (cpu_seconds(service.pid) - before) / 10
    finally:
        service.terminate()
        service.wait()

def add_files(bench, folder, folders, files, first, total):
    """`files` new files in each of the first `folders` folders; two seconds old, so that they count as settled by any rule."""
    for d in range(folders):
        for f in range(files):
            number = first + d * files + f
            with open(os.path.join(folder, f"folder-{d:04d}", f"event-{number:013d}.json"), "w") as out:
                out.write('{"id":%d,"kind":"new","value":1}\n' % number)

def trigger_of_new(bench, pipeline, folder, folders, files, first):
    """find and `inlet once` in turn over the tree with 1,000 new files; the cost of loading 1,000 files alone is taken off."""
    alone = fresh(bench.path("alone"))
    subprocess.run([bench.generate, "tree", os.path.join(alone, "in"), str(folders), str(files), "0"], check=True)
    extra, _ = run_inlet(pipeline_of(alone, os.path.join(alone, "in")))
    add_files(bench, folder, folders, files, first, 0)
    listed = find(folder)
    seconds, summary = run_inlet(pipeline)
    return listed, seconds, extra

def million(bench):
    """Triggers among a million known files in 500 folders."""
    per_folder = bench.scale(2000)
    folder = tree(bench, "million", 500, per_folder)
    count = 500 * per_folder
    start = start_up(bench)
    work = fresh(bench.path("known"))
    pipeline = pipeline_of(work, folder)
    run_inlet(pipeline)
    run_inlet(pipeline)  # Marks the folders: they have kept still.
    find(folder)
    idle = idle_trigger(bench, pipeline_of(work, folder, trigger={"processingTime": "1 second"}))
    pipeline = pipeline_of(work, folder)
    bench.row(f"nothing new among {count:,} files, running service", None, idle * 1000, "≤ 10 ms", idle <= 0.010, unit="ms")
    pairs = [(find(folder), run_inlet(pipeline)[0]) for _ in range(bench.runs)]
    bench.cheaper(f"nothing new among {count:,} files, inlet once", "find -type f", pairs, 0.1, start)
    number = 10 ** 9
    for folders, files, share in ((10, 100, 0.05), (500, 2, 0.6)):
        found = []
        for _ in range(max(1, bench.runs - 2)):
            listed, seconds, extra = trigger_of_new(bench, pipeline, folder, folders, files, number)
            number += folders * files
            found.append((listed, seconds - extra))
        bench.cheaper(f"1,000 new among {count:,} files, in {folders} folders", "find -type f", found, share)
    shutil.rmtree(folder)  # It has grown: made anew next time.

def ledger(bench):
    program = bench.path("ledger_bench")
    root = os.path.join(HERE, "..")
    subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-I", root, "-o", program, os.path.join(HERE, "ledger.c"), os.path.join(root, "build/libinlet.a"),
                    *"-llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread".split()], check=True)
    millions = 1 if bench.quick else 10
    out = subprocess.run([program, fresh(bench.path("ledger")), str(millions * 1000000)], capture_output=True, text=True, check=True).stdout
    size, anonymous, *costs = map(float, out.split())
    shutil.rmtree(bench.path("ledger"))
    bench.row(f"ledger at {millions} M files, bytes a file", None, size, "≤ 100", size <= 100, unit="bytes")
    bench.row(f"ledger at {millions} M files, private memory", None, anonymous / 1048576, "≤ 64 MiB", anonymous <= 64 << 20, unit="MiB")
    for at, folders in ((0, "10 folders"), (6, "all 500 folders")):
        empty, empty_merge, _, full, full_merge, longest = costs[at:at + 6]
        bench.row(f"ledger at {millions} M files, a batch of 1,000 in {folders}", empty, full, "≤ 1.2 ×", full / empty <= 1.2, unit="ms", peer_name="empty ledger", ratio=full / empty,
                  note=f"median; merging beside it {empty_merge:.2f} and {full_merge:.2f} ms a batch ({(full + full_merge) / (empty + empty_merge):.2f} with it), the longest {longest:.1f} ms")

WORKLOADS = [first_load, million, ledger]

"""streams -- workloads of many rows: parsing and encoding against DuckDB and Polars, gzip against its own library, memory, threads."""
import glob, gzip, os, shutil, subprocess, sys, time
import shapes
from measure import *

def ours(bench, shape, codec, load, threads=2):
    work = fresh(bench.path("work"))
    seconds, summary = run_inlet(shape_pipeline(work, shape, load, codec), threads)
    return seconds, work

def pairs_with(bench, peer, shape, codec, runs=None):
    """Ours and the peer in turn, the peer first; a first run of ours warms program and data."""
    folder = bench.files(shape)
    found = []
    for _ in range(runs or bench.runs):
        out = os.path.join(fresh(bench.path("peer")), "out.parquet")
        theirs = run_peer(peer, shape, codec, f"{folder}/*.{shapes.suffix(shape)}", out, bench.threads)
        found.append((theirs, ours(bench, shape, codec, folder, bench.threads)[0]))
    return found

def compare_sizes(bench, shape, codec):
    """File sizes of the last runs, while they are there."""
    theirs, mine = tree_bytes(bench.path("peer")), tree_bytes(bench.path("work", "out"))
    ratio = mine / theirs
    bench.row(f"Parquet size, {shape} {codec}", theirs / 1e6, mine / 1e6, "≤ 1.05 ×", ratio <= 1.05, unit="MB", peer_name="DuckDB", ratio=ratio)

def rows_agree(bench, shape):
    """Row by row with DuckDB's output: sorted by id, every column; both files stand from the last pair."""
    import duckdb
    base = duckdb.connect()
    base.execute("SET TimeZone='UTC'")
    mine, theirs = bench.path("work", "out", "*.parquet"), bench.path("peer", "out.parquet")
    columns = ", ".join(f'"{c}"' for c in shapes.COLUMNS[shape])
    differing = base.execute(f"SELECT count(*) FROM (SELECT id, hash({columns}) h FROM read_parquet('{mine}')) a "
                             f"FULL JOIN (SELECT id, hash({columns}) h FROM read_parquet('{theirs}')) b ON a.id = b.id WHERE a.h IS DISTINCT FROM b.h").fetchone()[0]
    total = base.execute(f"SELECT count(*) FROM read_parquet('{mine}')").fetchone()[0]
    bench.row(f"rows of {shape} that differ from DuckDB's", None, differing, "0", differing == 0, unit=f"of {total}")

def main_formats(bench):
    bench.faster("NDJSON to snappy Parquet", "DuckDB", pairs_with(bench, "duckdb", "ndjson", "snappy"), 3)
    compare_sizes(bench, "ndjson", "snappy")
    rows_agree(bench, "ndjson")
    bench.faster("NDJSON to zstd Parquet", "DuckDB", pairs_with(bench, "duckdb", "ndjson", "zstd"), 2)
    compare_sizes(bench, "ndjson", "zstd")
    bench.faster("CSV to snappy Parquet", "DuckDB", pairs_with(bench, "duckdb", "csv", "snappy"), 3)
    compare_sizes(bench, "csv", "snappy")
    rows_agree(bench, "csv")
    bench.faster("CSV to snappy Parquet", "Polars", pairs_with(bench, "polars", "csv", "snappy"), 2)
    bench.faster("CSV to zstd Parquet", "DuckDB", pairs_with(bench, "duckdb", "csv", "zstd"), 2)
    compare_sizes(bench, "csv", "zstd")

def other_shapes(bench):
    for shape in shapes.PRIVATE:
        bench.faster(f"{shape} to snappy Parquet", "DuckDB", pairs_with(bench, "duckdb", shape, "snappy", 3), 2)

INFLATE = """
import sys, time, zlib
data = open(sys.argv[1], 'rb').read()
start = time.perf_counter()
total, z, at = 0, zlib.decompressobj(31), 0
while at < len(data):
    total += len(z.decompress(data[at:at + (1 << 18)])); at += 1 << 18
print(time.perf_counter() - start)
"""

def one_gzip(bench):
    """One big gzip file against one thread of zlib inflating it."""
    folder = bench.path(f"gzip-{bench.scale(60000)}")
    if not os.path.isdir(folder):
        os.makedirs(folder + ".new")
        with gzip.open(os.path.join(folder + ".new", "big.json.gz"), "wb", 6) as out:
            for name in sorted(glob.glob(bench.files("ndjson") + "/*.json"))[:32]:
                with open(name, "rb") as f: shutil.copyfileobj(f, out, 1 << 20)
        os.rename(folder + ".new", folder)
    warm(folder)
    found = []
    for _ in range(bench.runs):
        inflate = float(subprocess.run([sys.executable, "-c", INFLATE, os.path.join(folder, "big.json.gz")], capture_output=True, check=True).stdout)
        found.append((inflate, ours(bench, "ndjson", "snappy", folder, bench.threads)[0]))
    bench.cheaper("NDJSON in one gzip file", "zlib, 1 thread", found, 1.2)

def threads(bench):
    folder = bench.files("ndjson")
    found = [(ours(bench, "ndjson", "snappy", folder, 1)[0], ours(bench, "ndjson", "snappy", folder, 2)[0]) for _ in range(bench.runs)]
    bench.cheaper("2 threads against 1, NDJSON", "1 thread", found, 0.55)

def peak(bench, shape, load):
    work = fresh(bench.path("work"))
    process = subprocess.Popen([INLET, "once", "--quiet", shape_pipeline(work, shape, load)], env=environment(bench.threads), stdout=subprocess.DEVNULL)
    memory = Memory(process.pid)
    if process.wait() != 0: raise RuntimeError("inlet failed")
    memory.ended = True
    return memory.peak

def memory(bench):
    """1 GB, then 10 GB made of ten hard links to each file: other names, other rows of the ledger, the same bytes."""
    folder = bench.files("ndjson")
    one = peak(bench, "ndjson", folder)
    ten = bench.path("ten")
    fresh(ten)
    for copy in range(2 if bench.quick else 10):
        for name in os.listdir(folder): os.link(os.path.join(folder, name), os.path.join(ten, f"{copy}-{name}"))
    many = peak(bench, "ndjson", ten)
    shutil.rmtree(ten)
    bench.row("private memory, 1 GB of NDJSON", None, one / 1048576, "≤ 256 MiB", one <= 256 << 20, unit="MiB")
    bench.row("private memory, 10 GB of NDJSON", None, many / 1048576, "≤ 256 MiB", many <= 256 << 20, unit="MiB")
    for shape in ("wide", "text", "distinct"):
        size = peak(bench, shape, bench.files(shape))
        bench.row(f"private memory, {shape}", None, size / 1048576, "≤ 256 MiB", size <= 256 << 20, unit="MiB")

SPARK = """
import sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
shape, load, out, schema = sys.argv[1:5]
start = time.perf_counter()
reader = spark.read.schema(schema)
frame = reader.option("header", "true").csv(load) if shape == "csv" else reader.json(load)
frame.write.mode("overwrite").parquet(out)
print("SECONDS", time.perf_counter() - start)
"""

def spark(bench):
    submit = os.environ.get("SPARK_SUBMIT")
    if not submit: return
    script = bench.path("spark_job.py")
    with open(script, "w") as f: f.write(SPARK)
    for shape, times in (("ndjson", 15), ("csv", 2)):
        folder, found = bench.files(shape), []
        for _ in range(2):
            done = subprocess.run([submit, "--master", f"local[{bench.threads}]", "--driver-memory", "6g", script, shape, folder, bench.path("peer", "spark"), shapes.spark_ddl(shape)],
                                  capture_output=True, text=True)
            line = [l for l in done.stdout.split("\n") if l.startswith("SECONDS")]
            if not line: raise RuntimeError(done.stderr[-1500:])
            found.append((float(line[0].split()[1]), ours(bench, shape, "snappy", folder, bench.threads)[0]))
        bench.faster(f"{shape} to snappy Parquet", "Spark", found, times)

WORKLOADS = [main_formats, other_shapes, one_gzip, threads, memory, spark]

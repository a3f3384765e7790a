#!/usr/bin/env python3
"""read_back -- Apache Spark reads what inlet wrote: folders with _spark_metadata, and Delta tables; and appends to the table.

  make check-spark SPARK_PYTHON=...   (a Python with pyspark and delta-spark; the jars of Delta on its class path or in SPARK_JARS)
Speaks TAP. Not part of `make check`: Spark is half a gigabyte.
"""
import datetime, json, os, shutil, subprocess, sys, tempfile

INLET = os.path.abspath(os.environ["INLET"])
work = tempfile.mkdtemp(prefix="inlet-spark-")
os.chdir(work)
SCHEMA = ("id BIGINT, t TINYINT, s SMALLINT, i INT, f FLOAT, d DOUBLE, dec DECIMAL(20,4), text STRING, bin BINARY, day DATE, ts TIMESTAMP, ntz TIMESTAMP_NTZ, "
          "ok BOOLEAN, list ARRAY<INT>, m MAP<STRING,INT>, st STRUCT<x: INT, y: ARRAY<STRUCT<z: STRING>>>, p STRING")

def row(i):
    return {"id": i, "t": i % 100, "s": i, "i": -i, "f": i / 2, "d": i / 3, "dec": f"{i}.0625", "text": f"é{i}" if i % 5 else None, "bin": "AAEC", "day": "2024-02-29",
            "ts": f"2024-03-01T12:00:{i % 60:02d}.123456Z", "ntz": "2024-03-01T12:00:00", "ok": i % 2 == 0, "list": [1, None, i], "m": {"k": i},
            "st": {"x": i, "y": [{"z": "a"}, None]}, "p": ["a b", "c/d", None][i % 3]}

def land(first, last):
    os.makedirs("landing", exist_ok=True)
    for n in range(first, last):
        with open(f"landing/.{n}", "w") as f:
            f.writelines(json.dumps(row(n * 50 + k)) + "\n" for k in range(50))
        os.rename(f"landing/.{n}", f"landing/f{n}.json")

def pipeline(name, sink, extra=None):
    tree = {"conf": {"spark.sql.session.timeZone": "UTC"},
            "readStream": {"format": "json", "schema": SCHEMA, "load": "landing", "options": {"maxFilesPerTrigger": "1"}},
            "writeStream": {"format": sink, "partitionBy": ["p"], "options": {"checkpointLocation": "ck_" + name, **(extra or {})}, "start": name}}
    open(name + ".yaml", "w").write(json.dumps(tree))

def inlet(name):
    subprocess.run([INLET, "once", name + ".yaml"], check=True, stdout=subprocess.DEVNULL)

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
builder = SparkSession.builder.master("local[2]").config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
checks = []

def check(title, ok, detail=""):
    checks.append(ok)
    print(("ok" if ok else "not ok") + f" {len(checks)} - {title}" + ("" if ok else f"\n# {detail}"), flush=True)

def compare(title, frame, count, micros=(123456,)):
    got = {r["id"]: r.asDict(recursive=True) for r in frame.collect()}
    want = {i: row(i) for i in range(count)}
    bad = []
    if set(got) != set(want):
        bad.append(f"ids: {len(got)} of {len(want)}")
    for i in sorted(set(got) & set(want)):
        g, w = got[i], want[i]
        for key in ("t", "s", "i", "f", "ok", "text", "list", "m", "st", "p"):
            if g[key] != w[key]:
                bad.append((i, key, g[key], w[key]))
        if str(g["dec"]) != w["dec"] or g["day"] != datetime.date(2024, 2, 29) or bytes(g["bin"]) != b"\0\1\2" or g["ts"].microsecond not in micros:
            bad.append((i, g))
    check(title, not bad, bad[:3])

land(0, 12)
for name, sink in (("pq", "parquet"), ("js", "json"), ("dl", "delta")):
    pipeline(name, sink)
    inlet(name)
compare("Spark reads a Parquet folder through its _spark_metadata, 12 batches and a compaction", spark.read.parquet(work + "/pq"), 600)
compare("Spark reads a JSON folder through its _spark_metadata", spark.read.schema(SCHEMA).json(work + "/js"), 600, micros=(123000,))  # Spark's JSON writer cuts to milliseconds, so ours does.
shutil.copy([os.path.join(d, f) for d, _, fs in os.walk("pq") for f in fs if f.endswith(".parquet")][0], "pq/p=a b/leftover.parquet")
compare("Spark does not see a file that the log does not name", spark.read.parquet(work + "/pq"), 600)
compare("Spark reads the Delta table and its checkpoint", spark.read.format("delta").load(work + "/dl"), 600)
stats = spark.read.format("delta").load(work + "/dl").where("id >= 590").count()
check("statistics do not lose rows", stats == 10, stats)
# Spark appends to our table, then we go on.
spark.read.format("delta").load(work + "/dl").limit(1).withColumn("id", F.lit(100000).cast("bigint")).write.format("delta").mode("append").save(work + "/dl")
land(12, 13)
inlet("dl")
check("we append after Spark did", spark.read.format("delta").load(work + "/dl").count() == 651, spark.read.format("delta").load(work + "/dl").count())
history = spark.sql(f"DESCRIBE HISTORY delta.`{work}/dl`").count()
check("Spark describes the history", history == 14, history)
# A table that Spark made.
spark.createDataFrame([(-1, "x")], "id BIGINT, text STRING").write.format("delta").save(work + "/theirs")
open("th.yaml", "w").write(json.dumps({"readStream": {"format": "json", "schema": "id BIGINT, text STRING", "load": "landing"},
                                        "writeStream": {"format": "delta", "options": {"checkpointLocation": "ck_th"}, "start": "theirs"}}))
inlet("th")
check("we append to a table that Spark made", spark.read.format("delta").load(work + "/theirs").count() == 651, spark.read.format("delta").load(work + "/theirs").count())
# Spark streams from our folder: whole batches only.
query = spark.readStream.schema(spark.read.parquet(work + "/pq").schema).parquet(work + "/pq").writeStream.format("memory").queryName("seen").trigger(availableNow=True).option("checkpointLocation", work + "/ck_spark").start()
query.awaitTermination()
check("Spark streams from our folder", spark.sql("select count(*) from seen").first()[0] == 600)
print(f"1..{len(checks)}")
spark.stop()
shutil.rmtree(work)
sys.stdout.flush()
os._exit(0 if all(checks) else 1)

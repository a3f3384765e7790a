"""Sinks from outside: what other programs read from them, how many files there are, logs and their compaction, what is refused."""
import csv, glob, json, os, re, shutil, subprocess, time
from lib import *

def row(a, b="x"):
    return json.dumps({"a": a, "b": b}) + "\n"

def land_many(count, per=1, first=0):
    for i in range(count):
        write(f"landing/{first + i:05}.json", "".join(row((first + i) * per + j) for j in range(per)))

def data_files(path="out"):
    return sorted(f for f in glob.glob(path + "/**/*", recursive=True) if os.path.isfile(f) and not any(p[0] in "._" for p in f.split("/") if p not in (".", "..")))

def duck(sql):
    import duckdb
    return duckdb.sql(sql).fetchall()

NESTED = "a BIGINT, b STRING, f DOUBLE, t TIMESTAMP, d DATE, m DECIMAL(10,2), ok BOOLEAN, s STRUCT<x: INT, y: ARRAY<STRING>>, p MAP<STRING, BIGINT>, n TIMESTAMP_NTZ, bin BINARY"
RECORD = {"a": 1, "b": "ü\n\"", "f": 1.5, "t": "2024-01-05T12:34:56.789Z", "d": "2024-02-29", "m": 12.34, "ok": True, "s": {"x": 7, "y": ["p", None, ""]},
          "p": {"k": 5}, "n": "2024-01-05T00:00:00", "bin": "AAEC"}

# --- Files -----------------------------------------------------------------------------------------------------------

@test
def parquet_readers():
    """Parquet of every codec is read alike by pyarrow, DuckDB and Polars; values are what was landed"""
    import pyarrow.parquet as pq, polars, datetime, decimal
    for codec in ("snappy", "zstd", "gzip", "lz4_raw", "uncompressed", "none"):
        pipeline(schema=NESTED, writer={"compression": codec}, start="out_" + codec, checkpoint="ck_" + codec, conf={"spark.sql.session.timeZone": "UTC"})
        land("landing/a.json", json.dumps(RECORD) + "\n" + '{"a":2}\n')
        once()
        name = data_files("out_" + codec)[0]
        first, second = pq.ParquetFile(name).read().to_pylist()
        equal((first["a"], first["b"], first["f"], first["d"], first["m"], first["ok"], first["s"]),
              (1, "ü\n\"", 1.5, datetime.date(2024, 2, 29), decimal.Decimal("12.34"), True, {"x": 7, "y": ["p", None, ""]}), codec)
        equal(first["t"].isoformat(), "2024-01-05T12:34:56.789000+00:00")
        equal(dict(first["p"]), {"k": 5})
        equal([v for k, v in second.items() if k != "a"], [None] * (len(second) - 1))
        equal(duck(f"SELECT a, b, s.x, s.y[1], m FROM read_parquet('{name}')"), [(1, "ü\n\"", 7, "p", decimal.Decimal("12.34")), (2, None, None, None, None)])
        equal(polars.read_parquet(name, columns=["a", "b", "s"]).to_dicts()[0]["s"], {"x": 7, "y": ["p", None, ""]})
        meta = pq.read_metadata(name)
        assert meta.row_group(0).column(0).statistics.max == 2
        assert b"org.apache.spark.sql.parquet.row.metadata" in (meta.metadata or {}), meta.metadata
    has(pipeline(writer={"compression": "brotlli"}) or inlet("check", "p.yaml").err, "CODEC_NOT_AVAILABLE", "zstd")
    equal(once(code=78).code, 78)

@test
def text_sinks():
    """JSON, CSV and text are what their writer options say, with partition folders"""
    land("landing/a.json", json.dumps({"a": 1, "b": 'say "hi", ok'}) + "\n" + json.dumps({"a": 2, "b": None}) + "\n" + json.dumps({"a": 3, "b": "ü"}) + "\n")
    pipeline(sink="json", start="out_j", checkpoint="ck_j")
    once()
    equal([json.loads(line) for line in open(data_files("out_j")[0])], [{"a": 1, "b": 'say "hi", ok'}, {"a": 2}, {"a": 3, "b": "ü"}])
    pipeline(sink="csv", writer={"header": "true", "escape": '"'}, start="out_c", checkpoint="ck_c")
    once()
    equal(list(csv.reader(open(data_files("out_c")[0]))), [["a", "b"], ["1", 'say "hi", ok'], ["2", ""], ["3", "ü"]])
    pipeline(sink="text", query="SELECT b FROM input", start="out_t", checkpoint="ck_t")
    once()
    equal(open(data_files("out_t")[0]).read(), 'say "hi", ok\n\nü\n')
    pipeline(sink="text", start="out_u", checkpoint="ck_u")
    equal(once(code=78).code, 78)
    pipeline(sink="json", partition_by=["b"], start="out_p", checkpoint="ck_p", writer={"compression": "gzip"})
    once()
    equal(sorted(os.path.basename(os.path.dirname(f)) for f in data_files("out_p")), ["b=__HIVE_DEFAULT_PARTITION__", "b=say %22hi%22, ok", "b=ü"])
    assert all(f.endswith(".json.gz") for f in data_files("out_p"))

@test
def partitioned():
    """partitionBy writes folders that pyarrow, DuckDB and deltalake read back; many values need few open files"""
    import pyarrow.dataset as ds
    schema = "a BIGINT, day DATE, k STRING"
    text = "".join(json.dumps({"a": i, "day": f"2024-01-{i % 28 + 1:02}", "k": f"v/{i % 20}:é%"}) + "\n" for i in range(5600))
    land("landing/a.json", text)
    for sink in ("parquet", "delta"):
        pipeline(schema=schema, sink=sink, partition_by=["day", "k"], start="out_" + sink, checkpoint="ck_" + sink)
        once()
    table = ds.dataset([f for f in data_files("out_parquet")], partitioning=ds.partitioning(flavor="hive"), partition_base_dir="out_parquet").to_table()
    equal(sorted(table.column("a").to_pylist()), list(range(5600)))
    got = {r["a"]: (str(r["day"]), r["k"]) for r in rows("out_delta", "delta")}
    equal(got, {i: (f"2024-01-{i % 28 + 1:02}", f"v/{i % 20}:é%") for i in range(5600)})
    equal(duck("SELECT count(*), count(DISTINCT k) FROM read_parquet('out_parquet/**/*.parquet', hive_partitioning=true)"), [(5600, 20)])
    for sink in ("parquet", "csv", "delta"):
        pipeline(schema=schema, sink=sink, partition_by=["day", "k", "a"], start="o2", checkpoint="c2")
        has(once(code=78).err, "ALL_PARTITION_COLUMNS")
    pipeline(schema="k STRING", sink="json", partition_by="k", start="o4", checkpoint="c4")  # As in Spark: objects without fields.
    equal(once().summary["rows"], 5600)
    equal({open(f).read() for f in data_files("o4")}, {"{}\n" * 280})
    pipeline(schema="a BIGINT, A STRING", start="o3", checkpoint="c3")
    equal(inlet("check", "p.yaml").code, 78, "two columns of one name")

@test
def file_sizes():
    """The number of output files follows their size, not the number of input files"""
    land_many(1500, per=3)
    for sink in ("parquet", "json", "delta"):
        pipeline(sink=sink, start="out_" + sink, checkpoint="ck_" + sink)
        once()
        equal((len(data_files("out_" + sink)), len(rows("out_" + sink, sink))), (1, 4500), sink)
    pipeline(sink="json", writer={"maxFileSize": "20k"}, start="out_k", checkpoint="ck_k")
    once()
    sizes = [os.path.getsize(f) for f in data_files("out_k")]
    assert 4 <= len(sizes) <= 10 and max(sizes) <= 20480, sizes
    write("landing/big.json", "".join(row(i, os.urandom(30).hex()) for i in range(100000)))
    for sink in ("parquet", "csv"):
        pipeline(sink=sink, writer={"maxFileSize": "1m"}, start="out_m" + sink, checkpoint="ck_m" + sink)
        once()
        sizes = [os.path.getsize(f) for f in data_files("out_m" + sink)]
        assert max(sizes) <= 1 << 20 and sum(sizes) / len(sizes) > 1 << 19, sizes
    os.unlink("landing/big.json")
    pipeline(writer={"maxRecordsPerFile": "1000"}, start="out_r", checkpoint="ck_r")
    once()
    import pyarrow.parquet as pq
    equal(sorted(pq.read_metadata(f).num_rows for f in data_files("out_r")), [500, 1000, 1000, 1000, 1000])

@test
def sink_log():
    """_spark_metadata: v1, one entry a file, compacted every tenth batch, whole after 25 batches; only its files are the table"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    land_many(25)
    once()
    names = {n for n in os.listdir("out/_spark_metadata") if n[0] != "."}
    equal(names, {str(i) for i in range(25) if i not in (9, 19)} | {"9.compact", "19.compact"})
    entries = [json.loads(line) for line in open("out/_spark_metadata/19.compact").read().split("\n")[1:]]
    equal(len(entries), 20)
    equal(list(entries[0]), ["path", "size", "isDir", "modificationTime", "blockReplication", "blockSize", "action"])
    for path, entry in sink_files().items():
        equal(os.path.getsize(path), entry["size"])
    equal(sorted(r["a"] for r in rows()), list(range(25)))
    equal(sorted(f for f in map(os.path.abspath, data_files())), sorted(sink_files()))
    shown = inlet("show", "--json", "out")
    equal(len(shown.out.strip().split("\n")), 25)
    open("out/_spark_metadata/24", "a").write("garbage")
    land_many(1, first=30)
    result = inlet("once", "p.yaml")
    assert result.code in (0, 1), result

@test
def show_partitions():
    """`show` has the partition columns of Parquet, JSON and Delta outputs, from the names of their folders"""
    land("landing/a.json", '{"a":1,"b":"x/y"}\n{"a":2}\n')
    for sink in ("parquet", "json", "delta"):
        pipeline(sink=sink, partition_by="b", start="out_" + sink, checkpoint="ck_" + sink)
        once()
        shown = [json.loads(line) for line in inlet("show", "--json", "out_" + sink).out.strip().split("\n")]
        equal(sorted((r["a"], r.get("b")) for r in shown), [(1, "x/y"), (2, None)], sink)
        has(inlet("show", "out_" + sink).out, "|  a|   b|", "|  1| x/y|", "|  2|NULL|")

@test
def empty_batches():
    """A batch without rows leaves no data file and an honest log"""
    for sink in ("parquet", "delta", "json"):
        pipeline(sink=sink, start="out_" + sink, checkpoint="ck_" + sink, reader={"mode": "DROPMALFORMED"})
        land("landing/blank.json", "\n\n")
        equal(once().summary["rows"], 0)
        for name in data_files("out_" + sink):  # As Spark: one file without rows, which has the schema.
            assert sink == "parquet" and duck(f"SELECT count(*) FROM read_parquet('{name}')") == [(0,)], name
        land("landing/z.json", row(1))
        once()
        equal(len(rows("out_" + sink, sink)), 1)
        os.unlink("landing/z.json")

# --- Delta -----------------------------------------------------------------------------------------------------------

@test
def delta_log():
    """25 batches into Delta: checkpoints that deltalake, Polars and DuckDB read, txn and statistics, history"""
    import deltalake, polars
    pipeline(sink="delta", reader={"maxFilesPerTrigger": "1"}, writer={"userMetadata": "nightly"})
    land_many(25, per=4)
    once()
    log = sorted(n for n in os.listdir("out/_delta_log") if n[0] not in "._")
    assert "00000000000000000010.checkpoint.parquet" in log and "00000000000000000020.checkpoint.parquet" in log, log
    equal(json.load(open("out/_delta_log/_last_checkpoint"))["version"], 20)
    for version in range(0, 15):  # What a checkpoint holds need not be replayed.
        os.unlink(f"out/_delta_log/{version:020}.json")
    table = deltalake.DeltaTable("out")
    equal((table.version(), sorted(table.to_pyarrow_table().column("a").to_pylist())), (24, list(range(100))))
    equal(polars.read_delta("out").height, 100)
    equal(duck("SELECT count(*) FROM read_parquet('out/_delta_log/00000000000000000020.checkpoint.parquet') WHERE add IS NOT NULL"), [(21,)])
    commit = [json.loads(line) for line in open("out/_delta_log/00000000000000000024.json")]
    add = [c["add"] for c in commit if "add" in c][0]
    equal((json.loads(add["stats"])["numRecords"], json.loads(add["stats"])["maxValues"]["a"]), (4, 99))
    txn = [c["txn"] for c in commit if "txn" in c][0]
    equal(txn["version"], 24)
    info = [c["commitInfo"] for c in commit if "commitInfo" in c][0]
    equal((info["operation"], info["userMetadata"]), ("STREAMING UPDATE", "nightly"))
    has(inlet("history", "out").out, "STREAMING UPDATE")
    land_many(1, per=4, first=25)
    once()
    equal(deltalake.DeltaTable("out").version(), 25)

@test
def delta_widening():
    """Narrower data is widened to the Delta table's types, also in structs, arrays and maps; what would lose values is refused by name"""
    import deltalake, decimal
    wide = "a SMALLINT, b INT, c BIGINT, d DOUBLE, e DECIMAL(20,2), s STRUCT<x: BIGINT, y: ARRAY<DOUBLE>>, m MAP<STRING, INT>"
    narrow = "a TINYINT, b SMALLINT, c SMALLINT, d FLOAT, e DECIMAL(5,2), s STRUCT<x: INT, y: ARRAY<FLOAT>>, m MAP<STRING, TINYINT>"
    record = {"a": 1, "b": -2, "c": 3, "d": 1.5, "e": 12.34, "s": {"x": 4, "y": [0.5, None]}, "m": {"k": -5}}
    land("landing/a.json", json.dumps(record) + "\n{}\n")
    pipeline(sink="delta", schema=wide)
    once()
    pipeline(sink="delta", schema=narrow, checkpoint="ck2")
    once()
    table = deltalake.DeltaTable("out")
    equal(table.version(), 1)
    data = table.to_pyarrow_table()
    equal([str(field.type) for field in data.schema][:5], ["int16", "int32", "int64", "double", "decimal128(20, 2)"])
    got = sorted(data.to_pylist(), key=lambda row: row["a"] is None)
    for row in got[:2]:
        equal({**row, "m": dict(row["m"])}, {**record, "e": decimal.Decimal("12.34")})
    equal([value for row in got[2:] for value in row.values()], [None] * 14)
    for schema, told in (("a INT", "column `a` is INT in the data but SMALLINT in the table"), ("d BIGINT", "column `d` is BIGINT in the data but DOUBLE"),
                         ("e DECIMAL(21,2)", "column `e` is DECIMAL(21,2)"), ("e DECIMAL(5,1)", "column `e` is DECIMAL(5,1)"), ("e BIGINT", "column `e`"),
                         ("s STRUCT<x: STRING>", "column `s.x` is STRING"), ("s STRUCT<z: INT>", "column `s.z` INT is not in the table"),
                         ("s STRUCT<y: ARRAY<STRING>>", "column `s.y.element` is STRING"), ("m MAP<STRING, STRING>", "column `m.value`"), ("s ARRAY<INT>", "column `s`")):
        pipeline(sink="delta", schema=schema, checkpoint="ck3")
        has(once(code=7).err, told)
    equal(deltalake.DeltaTable("out").version(), 1)

@test
def delta_append():
    """Appending to a table that deltalake made, partitioned or not, with mergeSchema or refused without"""
    import deltalake, pyarrow as pa
    deltalake.write_deltalake("out", pa.table({"a": pa.array([100], pa.int64()), "b": ["old"]}))
    pipeline(sink="delta")
    land("landing/a.json", row(1))
    once()
    equal(sorted((r["a"], r["b"]) for r in rows(fmt="delta")), [(1, "x"), (100, "old")])
    pipeline(sink="delta", schema="a BIGINT, b STRING, c DOUBLE", checkpoint="ck2")
    land("landing/b.json", '{"a":2,"c":2.5}\n')
    has(once(code=7).err, "DELTA_METADATA_MISMATCH", "c")
    pipeline(sink="delta", schema="a BIGINT, b STRING, c DOUBLE", checkpoint="ck2", writer={"mergeSchema": "true"})
    once()
    equal(sorted((r["a"], r["c"]) for r in rows(fmt="delta")), [(1, None), (1, None), (2, 2.5), (100, None)])
    deltalake.write_deltalake("part", pa.table({"a": pa.array([1], pa.int64()), "b": ["p q"]}), partition_by=["b"])
    pipeline(sink="delta", start="part", checkpoint="ck3")
    result = inlet("once", "p.yaml")
    if result.code == 0:
        equal({r["b"] for r in rows("part", "delta")}, {"p q", "x", None})
    else:
        assert result.code in (7, 78), result
    pipeline(sink="delta", start="part", checkpoint="ck4", partition_by=["b"])
    once()
    pipeline(sink="delta", start="part", checkpoint="ck5", schema="a BIGINT, b STRING, d INT", partition_by=["d"])
    equal(inlet("once", "p.yaml").code in (7, 78), True)

@test
def delta_refused():
    """Tables with features or constraints that inlet does not know are refused by name and left alone"""
    import deltalake, pyarrow as pa
    for number, (protocol, word, configuration) in enumerate((
            ({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}, "deletionVectors", {}),
            ({"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["appendOnly", "fancyNewThing"]}, "fancyNewThing", {}),
            ({"minReaderVersion": 2, "minWriterVersion": 5}, "columnMapping", {"delta.columnMapping.mode": "name"}),
            ({"minReaderVersion": 1, "minWriterVersion": 3}, "", {"delta.constraints.positive": "a > 0"}),
            ({"minReaderVersion": 4, "minWriterVersion": 8}, "8", {}))):
        path = f"t{number}"
        deltalake.write_deltalake(path, pa.table({"a": pa.array([1], pa.int64()), "b": ["x"]}))
        log = path + "/_delta_log/00000000000000000000.json"
        lines = [json.loads(line) for line in open(log)]
        for line in lines:
            if "protocol" in line:
                line["protocol"] = protocol
            if "metaData" in line:
                line["metaData"]["configuration"] = configuration
        write(log, "".join(json.dumps(line) + "\n" for line in lines))
        before = sorted(os.listdir(path))
        pipeline(sink="delta", start=path, checkpoint=f"ck{number}")
        land("landing/a.json", row(1))
        result = inlet("once", "p.yaml")
        assert result.code in (1, 7, 78), (protocol, result)
        has(result.err, "DELTA_", word)
        equal([n for n in sorted(os.listdir(path)) if n != "_inlet"], before)
    pipeline(sink="delta", start="t9", checkpoint="ck9", writer={"mergeSchem": "true"})
    has(once(code=78).err, "mergeSchema")

@test
def delta_two_writers():
    """deltalake appends between and during our batches; nothing of either is lost"""
    import deltalake, pyarrow as pa, threading
    deltalake.write_deltalake("out", pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}))
    pipeline(sink="delta", reader={"maxFilesPerTrigger": "1"})
    land_many(30)
    theirs = []
    def append():
        for i in range(20):
            try:
                deltalake.write_deltalake("out", pa.table({"a": pa.array([1000 + i], pa.int64()), "b": ["theirs"]}), mode="append")
                theirs.append(1000 + i)
            except Exception as e:  # Their retries may run out; ours must not.
                pass
    thread = threading.Thread(target=append)
    thread.start()
    once()
    thread.join()
    land_many(1, first=30)
    once()
    equal(sorted(r["a"] for r in rows(fmt="delta")), [*range(31), *theirs])

# --- Commands and the console -----------------------------------------------------------------------------------------

@test
def foreach_batch():
    """foreachBatch: rows as NDJSON, the environment, the folder; a failing command is given the same batch again"""
    write("load.sh", "#!/bin/sh\nenv | grep ^INLET_ | sort > env.$INLET_BATCH_ID\ncat > rows.$INLET_BATCH_ID\necho called >> calls\necho to standard output\n[ -e broken ] && exit 3\nexit 0\n")
    os.chmod("load.sh", 0o755)
    pipeline(foreach=["./load.sh", "users"], reader={"maxFilesPerTrigger": "2"})
    land_many(3)
    write("broken", "")
    failed = once(code=1)
    has(failed.err, "INLET_COMMAND_FAILED", "3")
    first = open("rows.0").read(), open("env.0").read()
    equal(once(code=1).code, 1)
    equal((open("rows.0").read(), open("env.0").read()), first, "the same bytes and the same environment")
    os.unlink("broken")
    result = once()
    equal([json.loads(l) for l in open("rows.0").read().split("\n")[:-1]] + [json.loads(l) for l in open("rows.1")], [{"a": i, "b": "x"} for i in range(3)])
    env = dict(line.split("=", 1) for line in open("env.1").read().strip().split("\n"))
    assert {"INLET_BATCH_ID", "INLET_QUERY_ID", "INLET_QUERY_NAME", "INLET_ROWS", "INLET_PLAN_DIGEST"} <= set(env), env
    equal((env["INLET_BATCH_ID"], env["INLET_ROWS"], env["INLET_QUERY_NAME"]), ("1", "1", "p"))
    equal(open("calls").read().count("called"), 4)
    equal(result.summary["rows"], 3)
    pipeline(foreach=["./no such command"], checkpoint="ck2")
    has(once(code=1).err, "no such command")
    pipeline(foreach=["sh", "-c", "kill -9 $$"], checkpoint="ck3")
    has(once(code=1).err, "INLET_COMMAND_FAILED", "9")
    pipeline(foreach=["true"], checkpoint="ck4")
    equal(once().code, 0, "a command that does not read its input")

@test
def ignored_child_signal():
    """a starter that ignores SIGCHLD: the end of a command is known all the same"""
    for name, command, code in (("ends", "cat > got.$INLET_BATCH_ID", 0), ("fails", "exit 4", 1)):
        land("landing/a.json", row(1))
        pipeline(foreach=["sh", "-c", command], checkpoint=name)
        p = subprocess.run(["sh", "-c", "trap '' CHLD; exec \"$0\" once p.yaml", INLET], capture_output=True, timeout=60)
        equal(p.returncode, code, p.stderr.decode())
    equal(json.loads(open("got.0").read()), {"a": 1, "b": "x"})

@test
def console():
    """The console shows Spark's table for each batch"""
    pipeline(sink="console", reader={"maxFilesPerTrigger": "1"}, start=None)
    land("landing/a.json", row(1, "a longer text than twenty characters") + row(2, None))
    out = once().out
    has(out, "-------------------------------------------\nBatch: 0\n-------------------------------------------\n", "+---+--------------------+", "|  1|a longer text than...|"[:22], "|  2|                NULL|")
    equal(json.loads(out.strip().split("\n")[-1])["rows"], 2)

@test
def output_modes():
    """append is the output mode; the others are refused with Spark's condition"""
    for sink in ("parquet", "delta", "json", "console"):
        for mode, code in (("append", 0), ("Append", 0), ("update", 0 if sink == "console" else 78), ("complete", 78)):  # Without aggregates update is append.
            pipeline(sink=sink)
            tree = json.load(open("p.yaml"))
            tree["writeStream"]["outputMode"] = mode
            write("p.yaml", json.dumps(tree))
            result = inlet("check", "p.yaml")
            equal(result.code, code, f"{sink} {mode} {result}")
            if code:
                has(result.err, "STREAMING_OUTPUT_MODE")

@test
def moved_sink():
    """A sink that moves to an empty folder goes on there; one that moves to a used folder is refused"""
    for sink in ("parquet", "delta"):
        pipeline(sink=sink, start=f"{sink}1", checkpoint="ck_" + sink)
        land("landing/a.json", row(1))
        once()
        land("landing/b.json", row(2))
        pipeline(sink=sink, start=f"{sink}2", checkpoint="ck_" + sink)
        once()
        equal([r["a"] for r in rows(f"{sink}2", sink)], [2])
        write("used/x", "mine")
        pipeline(sink=sink, start="used", checkpoint="ck_" + sink)
        equal(once(code=78).code, 78)
        shutil.rmtree("landing")

main()

#!/usr/bin/env python3
# tool: sink_tool
"""Delta tables of the sink, read and appended to by deltalake.

usage: delta_sink_crosscheck.py TOOL    (TOOL: tests/tools/sink_tool, built)
"""
import datetime, decimal, json, os, subprocess, sys, tempfile, uuid

import deltalake
import pyarrow as pa

TOOL = sys.argv[1]
count = 0


def ok(what):
    global count
    count += 1
    print(f"ok {count} - {what}")


def start(path, batch, schema, rows, *more, query=None, folder=None):
    file = os.path.join(folder or os.path.dirname(path), f"rows-{uuid.uuid4()}.json")
    with open(file, "w", encoding="utf-8") as out:
        for row in rows: out.write(json.dumps(row, ensure_ascii=False) + "\n")
    arguments = [TOOL, "delta", path, str(batch), schema, file, "--id", query or "e4a20b59-dd0e-4c50-b074-e8ae4786df30", *more]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def load(*arguments, fails=None, **named):
    process = start(*arguments, **named)
    err = process.communicate()[1]
    if (process.returncode != 0) != bool(fails) or (fails and fails not in err):
        raise SystemExit(f"{arguments}: exit {process.returncode}\n{err}")
    return err


def rows_of(path, sort="a"):
    return deltalake.DeltaTable(path).to_pyarrow_table().sort_by(sort).to_pylist()


ALL_TYPES = ("a INT, b BOOLEAN, i8 TINYINT, i16 SMALLINT, i64 BIGINT, f FLOAT, d DOUBLE, m DECIMAL(20,3), s STRING, x BINARY, dt DATE, "
             "t TIMESTAMP, l ARRAY<INT>, st STRUCT<p: INT, q: STRING>, mm MAP<STRING, INT>")
FULL = {"a": 1, "b": True, "i8": 7, "i16": 300, "i64": 1 << 40, "f": 0.5, "d": 1.25, "m": 12345678901234567.125, "s": "é😀", "x": "AP8=",
        "dt": "2024-01-02", "t": "2024-01-02T03:04:05.123456Z", "l": [1, None], "st": {"p": 1, "q": None}, "mm": {"k": 1, "n": None}}


def all_types(folder):
    path = os.path.join(folder, "types")
    load(path, 0, ALL_TYPES, [FULL, {"a": 2}])
    first, second = rows_of(path)
    assert first["i64"] == 1 << 40 and first["s"] == "é😀" and first["x"] == b"\x00\xff" and first["l"] == [1, None], first
    assert first["dt"] == datetime.date(2024, 1, 2) and first["st"] == {"p": 1, "q": None} and dict(first["mm"]) == {"k": 1, "n": None}, first
    assert first["t"] == datetime.datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=datetime.timezone.utc), first
    assert isinstance(first["m"], decimal.Decimal), first
    assert all(second[name] is None for name in second if name != "a"), second
    ok("values of every type are read back, and nulls")
    actions = pa.table(deltalake.DeltaTable(path).get_add_actions(flatten=True)).to_pylist()
    assert actions[0]["num_records"] == 2 and actions[0]["min.a"] == 1 and actions[0]["max.a"] == 2 and actions[0]["null_count.s"] == 1, actions
    ok("statistics are those of the rows")


def partitions(folder):
    path = os.path.join(folder, "partitions")
    values = ["x", "a/b", "a=b", "a%b", "a b", "é", None, "a:b", "a#b", "a?b", "a+b", "50% {of} [it]"]
    schema = "a INT, k STRING, d DATE, t TIMESTAMP"
    rows = [{"a": i, "k": k, "d": "2024-02-29", "t": f"2024-01-02T03:04:05.{i:06d}Z"} for i, k in enumerate(values)]
    load(path, 0, schema, rows, "--partition", "k", "--partition", "d", "--partition", "t")
    back = rows_of(path)
    assert [row["k"] for row in back] == values, [row["k"] for row in back]
    assert all(row["d"] == datetime.date(2024, 2, 29) and row["t"].microsecond == i for i, row in enumerate(back)), back
    ok("partition values of every kind come back as they were")
    table = deltalake.DeltaTable(path)
    assert table.metadata().partition_columns == ["k", "d", "t"]
    one = table.to_pyarrow_table(filters=[("k", "=", "a/b")]).to_pylist()
    assert [row["a"] for row in one] == [1], one
    ok("deltalake finds one partition")
    deltalake.write_deltalake(path, pa.table({"a": pa.array([99], pa.int32()), "k": ["a/b"], "d": [datetime.date(2024, 2, 29)],
                                              "t": pa.array([0], pa.timestamp("us", "UTC"))}), mode="append")
    load(path, 1, schema, [{"a": 100, "k": "a/b"}])
    assert [row["a"] for row in rows_of(path) if row["k"] == "a/b"] == [1, 99, 100]
    ok("both append to one table in turn")


def tables_of_others(folder):
    path = os.path.join(folder, "theirs")
    schema = pa.schema([pa.field("Id", pa.int64()), pa.field("Name", pa.string()), pa.field("v", pa.float64())])
    deltalake.write_deltalake(path, pa.table({"Id": [1], "Name": ["n"], "v": [0.5]}, schema=schema))
    load(path, 0, "name STRING, id INT", [{"name": "m", "id": 2}])
    assert rows_of(path, "Id") == [{"Id": 1, "Name": "n", "v": 0.5}, {"Id": 2, "Name": "m", "v": None}]
    ok("names take the table's spelling, narrow types the table's width, missing columns are null")
    load(path, 1, "id STRING", [{"id": "x"}], fails="DELTA_METADATA_MISMATCH")
    load(path, 1, "id INT, extra STRUCT<p: INT>", [{"id": 3, "extra": {"p": 1}}], fails="DELTA_METADATA_MISMATCH")
    load(path, 1, "id INT, extra STRUCT<p: INT>", [{"id": 3, "extra": {"p": 1}}], "--option", "mergeSchema=true")
    load(path, 2, "id INT, extra STRUCT<q: STRING, P: INT>", [{"id": 4, "extra": {"P": 2, "q": "z"}}], "--option", "mergeSchema=true")
    back = rows_of(path, "Id")
    assert back[2]["extra"] == {"p": 1, "q": None} and back[3]["extra"] == {"p": 2, "q": "z"} and back[0]["extra"] is None, back
    ok("mergeSchema adds columns and fields of structs")
    assert deltalake.DeltaTable(path).version() == 3


def constraints(folder):
    path = os.path.join(folder, "constraints")
    deltalake.write_deltalake(path, pa.table({"a": pa.array([1], pa.int32())}))
    deltalake.DeltaTable(path).alter.add_constraint({"positive": "a > 0"})
    load(path, 0, "a INT", [{"a": -1}], fails="DELTA_UNSUPPORTED_FEATURES_FOR_WRITE")
    ok("a table whose constraints we do not check is refused")
    path = os.path.join(folder, "required")
    deltalake.write_deltalake(path, pa.table([pa.array([1], pa.int32())], schema=pa.schema([pa.field("a", pa.int32(), nullable=False)])))
    load(path, 0, "a INT", [{"a": 2}])
    load(path, 1, "a INT", [{"a": None}], fails="DELTA_NOT_NULL_CONSTRAINT_VIOLATED")
    assert [row["a"] for row in rows_of(path)] == [1, 2]
    ok("NOT NULL columns are kept")


def checkpoints(folder):
    path = os.path.join(folder, "checkpoints")
    for batch in range(23): load(path, batch, "a INT, k STRING", [{"a": batch, "k": f"p{batch % 3}"}], "--partition", "k")
    names = sorted(name for name in os.listdir(os.path.join(path, "_delta_log")) if name.endswith(".checkpoint.parquet"))
    assert [int(name[:20]) for name in names] == [10, 20], names
    for version in range(11): os.unlink(os.path.join(path, "_delta_log", f"{version:020d}.json"))
    assert [row["a"] for row in rows_of(path)] == list(range(23))
    load(path, 23, "a INT, k STRING", [{"a": 23, "k": "p0"}])
    assert "has" in load(path, 23, "a INT, k STRING", [{"a": 23, "k": "p0"}])
    assert len(rows_of(path)) == 24
    ok("every tenth version has a checkpoint from which both go on")


def writers(folder):
    path = os.path.join(folder, "writers")
    queries = [str(uuid.uuid4()) for _ in range(6)]
    for batch in range(5):
        running = [start(path, batch, "a INT, w INT", [{"a": batch, "w": i}], query=query) for i, query in enumerate(queries)]
        for process in running:
            err = process.communicate()[1]
            assert process.returncode == 0, err
    back = sorted((row["w"], row["a"]) for row in rows_of(path))
    assert back == [(w, a) for w in range(6) for a in range(5)], back
    assert deltalake.DeltaTable(path).version() == 29
    ok("six writers at once lose nothing")
    query = str(uuid.uuid4())
    running = [start(path, 0, "a INT, w INT", [{"a": 1000, "w": 7}], query=query) for _ in range(4)]
    for process in running: process.communicate()
    assert sum(row["a"] == 1000 for row in rows_of(path)) <= 1
    load(path, 0, "a INT, w INT", [{"a": 1000, "w": 7}], query=query)
    assert sum(row["a"] == 1000 for row in rows_of(path)) == 1
    ok("four copies of one query at once, which its checkpoint's lock rules out, never commit a batch twice")


def ntz(folder):
    path = os.path.join(folder, "ntz")
    load(path, 0, "a INT, t TIMESTAMP_NTZ", [{"a": 1, "t": "2024-01-02T03:04:05.5"}])
    assert rows_of(path)[0]["t"] == datetime.datetime(2024, 1, 2, 3, 4, 5, 500000)
    assert deltalake.DeltaTable(path).protocol().reader_features == ["timestampNtz"]
    ok("TIMESTAMP_NTZ columns turn the table feature on")


def history(folder):
    entry = deltalake.DeltaTable(os.path.join(folder, "types")).history()[0]
    assert entry["operation"] == "STREAMING UPDATE" and entry["operationParameters"]["epochId"] == "0", entry
    assert entry["operationMetrics"]["numOutputRows"] == "2" and entry["engineInfo"].startswith("inlet/"), entry
    ok("history tells operation, epoch and metrics")


with tempfile.TemporaryDirectory() as work:
    for test in (all_types, partitions, tables_of_others, constraints, checkpoints, writers, ntz, history): test(work)
print(f"1..{count}")

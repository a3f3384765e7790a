"""Writers from outside, by what Spark 4.2 was seen to do: options, names of files and folders, tables of others, checkpoints."""
import glob, json, os, shutil, subprocess
from lib import *

def data_files(path="out"):
    return sorted(f for f in glob.glob(path + "/**/*", recursive=True) if os.path.isfile(f) and not any(p[0] in "._" for p in f.split("/") if p not in (".", "..")))

def fresh(records, **words):
    for folder in ("out", "ck", "landing"):
        shutil.rmtree(folder, ignore_errors=True)
    pipeline(**words)
    land("landing/a.json", "".join(json.dumps(r) + "\n" for r in records))

def refused(condition, *parts):
    has(once(code=78).err, condition, *parts)

# --- Options ------------------------------------------------------------------------------------------------------------

@test
def records_per_file():
    """maxRecordsPerFile of 0 or less is no limit, in the option as in the session, and the option wins"""
    for option, setting, files in (("-1", None, 1), ("0", None, 1), ("2", None, 2), (None, "-5", 1), (None, "2", 2), ("-1", "1", 1)):
        fresh([{"a": 1}, {"a": 2}, {"a": 3}], sink="csv", schema="a INT", writer={"maxRecordsPerFile": option} if option else None,
              conf={"spark.sql.files.maxRecordsPerFile": setting} if setting else None)
        once()
        equal(len(data_files()), files, (option, setting))
    fresh([], sink="csv", writer={"maxRecordsPerFile": "x"})
    refused("INLET_BAD_OPTION_VALUE", "must be an integer")

@test
def csv_extension():
    """CSV files end in the extension that is asked for; one that readers would take for a codec's is refused"""
    for extension, codec, ending in (("tsv", "none", "-c000.tsv"), ("", "none", "-c000."), ("a.b", "gzip", "-c000.a.b.gz"), ("csv", "none", "-c000.csv")):
        fresh([{"a": 1}], sink="csv", schema="a INT", writer={"extension": extension, "compression": codec})
        once()
        assert data_files()[0].endswith(ending), data_files()
    for extension in ("d/t", ".gz", "gz", "x.bz2", "x" * 100):
        fresh([], sink="csv", writer={"extension": extension})
        refused("INLET_BAD_OPTION_VALUE", "extension")

@test
def codec_classes():
    """compression takes the names of Hadoop's classes as well"""
    for codec, ending in (("GzipCodec", ".gz"), ("BZip2Codec", ".bz2"), ("SnappyCodec", ".snappy"), ("Lz4Codec", ".lz4"), ("DeflateCodec", ".deflate"), ("ZStandardCodec", ".zst")):
        fresh([{"a": 1}], sink="json", schema="a INT", writer={"compression": "org.apache.hadoop.io.compress." + codec})
        once()
        assert data_files()[0].endswith(".json" + ending), data_files()
    fresh([], sink="json", writer={"compression": "org.apache.hadoop.io.compress.NoCodec"})
    refused("CODEC_NOT_AVAILABLE")

@test
def csv_line_separator():
    """A character that merely shares bytes with lineSep needs no quotes"""
    fresh([{"a": "é€😀", "b": "x\u2028y"}], sink="csv", schema="a STRING, b STRING", writer={"lineSep": "\u2028"})
    once()
    equal(open(data_files()[0], newline="").read(), 'é€😀,"x\u2028y"\u2028')

@test
def json_sort_keys():
    """sortKeys sorts fields and entries of maps at every depth, as text; without it the schema's order holds"""
    schema = ("b INT, a INT, s STRUCT<z: INT, a: INT, `é`: INT, `_`: INT, Q: INT>, m MAP<STRING, INT>, arr ARRAY<STRUCT<y: INT, x: INT>>, "
              "ms MAP<STRING, STRUCT<d: INT, c: INT>>")
    record = {"b": 1, "a": 2, "s": {"z": 1, "a": 2, "é": 3, "_": 4, "Q": 5}, "m": {"k2": 1, "k1": 2, "K": 3}, "arr": [{"y": 1, "x": 2}], "ms": {"q": {"d": 1, "c": 2}}}
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    for wanted, text in (("true", '{"a":2,"arr":[{"x":2,"y":1}],"b":1,"m":{"K":3,"k1":2,"k2":1},"ms":{"q":{"c":2,"d":1}},"s":{"Q":5,"_":4,"a":2,"z":1,"é":3}}'), ("false", plain)):
        fresh([record], sink="json", schema=schema, writer={"sortKeys": wanted})
        once()
        equal(open(data_files()[0]).read(), text + "\n")

@test
def retention():
    """retention takes old files out of the sink's log when it is compacted; the files stay; 0 is refused"""
    import time
    fresh([], sink="json", schema="a INT", writer={"retention": "3s"})
    for i in range(9):
        land(f"landing/f{i}.json", json.dumps({"a": i}) + "\n")
        once()
        if i == 4:
            time.sleep(3.5)
    equal(sorted(r["a"] for r in rows(fmt="json")), list(range(9)))
    pipeline(sink="json", schema="a INT", writer={"retention": "3s"}, start="out")
    land("landing/f9.json", '{"a": 9}\n')
    once()
    left = sorted(r["a"] for r in rows(fmt="json"))
    assert left[-1] == 9 and 0 not in left and 4 not in left, left
    equal(len(data_files()), 10)
    fresh([], sink="json", writer={"retention": "0"})
    refused("INLET_BAD_OPTION_VALUE", "retention")

# --- Partitions ---------------------------------------------------------------------------------------------------------

@test
def partition_types():
    """A partition column has to be of a type that can name a folder"""
    for kind in ("STRUCT<d: INT>", "ARRAY<INT>", "MAP<STRING, INT>", "VOID"):
        fresh([], schema="a INT, c " + kind, partition_by=["c"])
        refused("INVALID_PARTITION_COLUMN_DATA_TYPE", "0A000")

# --- Tables of others ---------------------------------------------------------------------------------------------------

def delta_table(path, fields, protocol=None, configuration=None, more=()):
    """A Delta table as others would make it: version 0 without files."""
    schema = {"type": "struct", "fields": [{"nullable": True, "metadata": {}, **f} for f in fields]}
    actions = [{"protocol": protocol or {"minReaderVersion": 1, "minWriterVersion": 2}},
               {"metaData": {"id": "t", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps(schema), "partitionColumns": [],
                             "configuration": configuration or {}, "createdTime": 1}}, *more]
    write(path + "/_delta_log/%020d.json" % 0, "".join(json.dumps(a) + "\n" for a in actions))

TWO = [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]

@test
def delta_character_columns():
    """CHAR and VARCHAR columns of a Delta table are refused: Spark pads and checks them, which the protocol does not say"""
    fresh([{"a": 1, "b": "x"}], sink="delta")
    delta_table("out", [TWO[0], {**TWO[1], "metadata": {"__CHAR_VARCHAR_TYPE_STRING": "char(5)"}}])
    refused("DELTA_UNSUPPORTED_FEATURES_FOR_WRITE", "CHAR and VARCHAR")

@test
def delta_feature_names():
    """Each feature that is refused is named once"""
    fresh([{"a": 1, "b": "x"}], sink="delta")
    delta_table("out", [TWO[0], {**TWO[1], "metadata": {"CURRENT_DEFAULT": "'q'"}}],
                {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["allowColumnDefaults", "rowTracking", "domainMetadata"]})
    has(once(code=78).err, ": allowColumnDefaults, rowTracking, domainMetadata")

# --- Checkpoints of the Delta log ---------------------------------------------------------------------------------------

def append(record, name):
    land(f"landing/{name}.json", json.dumps(record) + "\n")
    once()

def checkpoints(path="out"):
    return sorted(int(os.path.basename(f)[:20]) for f in glob.glob(path + "/_delta_log/*.checkpoint.parquet"))

@test
def delta_checkpoint_made_up_for():
    """A checkpoint that a killed run did not write, or that was removed, comes with the next commit"""
    import deltalake
    fresh([], sink="delta")
    for i in range(11):
        append({"a": i, "b": "x"}, f"f{i}")
    equal(checkpoints(), [10])
    os.unlink("out/_delta_log/%020d.checkpoint.parquet" % 10)
    os.unlink("out/_delta_log/_last_checkpoint")
    append({"a": 11, "b": "x"}, "f11")
    equal(checkpoints(), [11])
    append({"a": 12, "b": "x"}, "f12")
    equal(checkpoints(), [11])
    write("out/_delta_log/_last_checkpoint", "{damaged")
    append({"a": 13, "b": "x"}, "f13")
    equal(sorted(r["a"] for r in rows(fmt="delta")), list(range(14)))
    equal(deltalake.DeltaTable("out").version(), 13)

@test
def delta_checkpoint_of_others_files():
    """A checkpoint holds what stands: files of other writers, of an older checkpoint, not those removed or added again"""
    import deltalake, pyarrow as pa
    def frame(a, b):
        return pa.table({"a": pa.array(a, pa.int64()), "b": pa.array(b, pa.string())})
    fresh([], sink="delta", schema="a BIGINT, b STRING")
    for i in range(4):
        deltalake.write_deltalake("out", frame([i, i], ["p q", None]), partition_by=["b"], mode="append")
    deltalake.DeltaTable("out").delete("a = 1")
    for i in range(5, 11):
        append({"a": i, "b": "c/d"}, f"f{i}")
    equal(checkpoints(), [10])
    deltalake.write_deltalake("out", frame([100], ["p q"]), mode="append")
    deltalake.DeltaTable("out").delete("a = 2")
    for i in range(13, 21):
        append({"a": i, "b": ""}, f"f{i}")
    equal(checkpoints(), [10, 20])
    before = sorted((r["a"], r["b"] or "") for r in rows(fmt="delta"))
    for name in glob.glob("out/_delta_log/*.json") + ["out/_delta_log/%020d.checkpoint.parquet" % 10]:
        os.unlink(name)
    equal(sorted((r["a"], r["b"] or "") for r in rows(fmt="delta")), before)
    equal([a for a, _ in before], sorted([0, 0, 3, 3, *range(5, 11), 100, *range(13, 21)]))
    shown = [json.loads(line) for line in inlet("show", "out", "--json").out.split("\n") if line]
    equal(sorted((r["a"], r.get("b") or "") for r in shown), before)
    append({"a": 21, "b": "x"}, "f21")
    equal(len(rows(fmt="delta")), len(before) + 1)

# --- inlet show on files of others --------------------------------------------------------------------------------------

def shown(path, *words):
    result = inlet("show", path, "--json", "--limit", "100000", *words)
    equal(result.code, 0, result)
    return [json.loads(line) for line in result.out.split("\n") if line]

@test
def show_delta_encodings():
    """show reads pages of the DELTA encodings and BYTE_STREAM_SPLIT, v1 and v2, with nulls, in lists, extreme numbers"""
    import pyarrow as pa, pyarrow.parquet as pq
    n = 3000
    big = [(-1) ** i * (i * 3037000499 % 2**63) for i in range(n)] + [2**63 - 1, -2**63, 0, -1]
    n = len(big)
    table = pa.table({"i": pa.array([None if i % 11 == 0 else (i * i * 7919) % 2**32 - 2**31 for i in range(n)], pa.int32()), "l": pa.array(big, pa.int64()),
                      "one": pa.array([7] * n, pa.int64()), "s": pa.array([None if i % 7 == 0 else "common prefix %d" % (i // 3) for i in range(n)]),
                      "d": pa.array([i / 3 for i in range(n)]), "f": pa.array([i / 4 for i in range(n)], pa.float32()), "nothing": pa.nulls(n, pa.string()),
                      "list": pa.array([None if i % 5 == 0 else ["x" * (i % 9), None, "é"] for i in range(n)])})
    texts = ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY")
    for version in ("1.0", "2.0"):
        for text in texts:
            for page in (1 << 20, 200):
                pq.write_table(table, "x.parquet", use_dictionary=False, data_page_version=version, data_page_size=page, row_group_size=1000, compression="zstd",
                               column_encoding={"i": "DELTA_BINARY_PACKED", "l": "DELTA_BINARY_PACKED", "one": "DELTA_BINARY_PACKED", "s": text, "nothing": text,
                                                "d": "BYTE_STREAM_SPLIT", "f": "BYTE_STREAM_SPLIT", "list.list.element": text})
                want = [{k: v for k, v in r.items() if v is not None} for r in table.to_pylist()]
                equal(shown("x.parquet"), want, (version, text, page))

@test
def show_damaged_encodings():
    """show of a file with damaged DELTA pages says so, and never more rows than there are"""
    import pyarrow as pa, pyarrow.parquet as pq, random
    chance = random.Random(SEED)
    table = pa.table({"i": pa.array(range(0, 900, 3), pa.int32()), "s": pa.array(["ab%d" % i for i in range(300)]), "d": pa.array([i / 3 for i in range(300)])})
    pq.write_table(table, "x.parquet", use_dictionary=False, compression="none", write_statistics=False,
                   column_encoding={"i": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY", "d": "BYTE_STREAM_SPLIT"})
    whole = open("x.parquet", "rb").read()
    for _ in range(60):
        bytes_ = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            bytes_[chance.randrange(4, len(whole) // 2)] = chance.randrange(256)
        write("y.parquet", bytes(bytes_))
        result = inlet("show", "y.parquet", "--json", "--limit", "1000")
        assert result.code in (0, 1), result
        assert result.out.count("\n") <= 300, result

@test
def show_names_twice():
    """show of a file with a column name twice shows both columns"""
    import pyarrow as pa, pyarrow.parquet as pq
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "x.parquet")
    equal(inlet("show", "x.parquet", "--json").out.strip(), '{"a":1,"a":2}')
    has(inlet("show", "x.parquet").out, "|  1|  2|")

@test
def show_refusals():
    """show says what it cannot read: encrypted files, unknown codecs and types"""
    import pyarrow as pa, pyarrow.parquet as pq
    write("encrypted.parquet", b"PARE" + b"x" * 100 + (16).to_bytes(4, "little") + b"PARE")
    has(inlet("show", "encrypted.parquet").err, "encrypted")
    pq.write_table(pa.table({"a": ["x"] * 100}), "brotli.parquet", compression="brotli")
    has(inlet("show", "brotli.parquet").err, "BROTLI", "not supported")
    pq.write_table(pa.table({"t": pa.array([1], pa.time64("us"))}), "time.parquet")
    has(inlet("show", "time.parquet").err, "INT64 (TIME)", "not supported")

@test
def damaged_logs():
    """Damage in a log or in JSON output is told as such, not as a fault of the pipeline file; foreign files in the logs do no harm"""
    fresh([{"a": 1, "b": "x"}], sink="delta")
    once()
    for name in ("00000000000000000001.json.tmp", "00000000000000000001.json.crc", "README", "00000000000000000005.checkpoint.parquet.tmp", ".00000000000000000001.json.x.tmp"):
        write("out/_delta_log/" + name, "half")
    land("landing/b.json", '{"a": 2, "b": "x"}\n')
    once()
    write("out/_delta_log/%020d.json" % 2, '{"commitInfo":{}}\n{"add":{"path":"x')
    land("landing/c.json", '{"a": 3, "b": "x"}\n')
    error = once(code=1).err
    has(error, "DELTA_TRUNCATED_TRANSACTION_LOG", "line 2 of Delta log file")
    assert "of the pipeline file" not in error, error
    os.unlink("out/_delta_log/%020d.json" % 2)
    once()
    equal(len(rows(fmt="delta")), 3)
    fresh([{"a": 1, "b": "x"}], sink="json")
    once()
    for name in ("foo", "1.tmp", ".1.crc", "x.compact", "2.compact.tmp", "-1", "1.5"):
        write("out/_spark_metadata/" + name, "half")
    land("landing/b.json", '{"a": 2, "b": "x"}\n')
    once()
    equal(sorted(r["a"] for r in shown("out")), [1, 2])
    write("out/_spark_metadata/1", "v1\n{cut")
    error = inlet("show", "out").err
    has(error, "INLET_DAMAGED_FILE", "line 2 of sink log")
    assert "pipeline" not in error.split("Caused by")[0], error
    write("rows.json", '{"a": 1}\n{"a": \n')
    error = inlet("show", "rows.json").err
    has(error, "FAILED_READ_FILE", "line 2 is not a JSON object")
    assert "of the pipeline file" not in error, error

# --- foreachBatch -------------------------------------------------------------------------------------------------------

def command(script, code=0, rows=3, **more):
    """One batch given to a shell script; gives the result of the run."""
    fresh([{"a": i, "b": "x" * 100} for i in range(rows)], foreach=["/bin/sh", "-c", script])
    return once(code=code, **more)

@test
def foreach_odd_commands():
    """A command may leave its input unread, close it, write much to standard error, leave a child behind; what it prints comes through"""
    command("exit 0", rows=50000)
    command("exec <&-; sleep 0.2; exit 0", rows=50000)
    result = command("i=0; while [ $i -lt 20000 ]; do echo \"line $i of what it has to say\" >&2; i=$((i+1)); done; cat > got")
    has(result.err, "line 19999 of what")
    equal(len(open("got").readlines()), 3)
    command("sleep 40 >/dev/null & cat > got", timeout=30)
    equal(len(open("got").readlines()), 3)
    has(command("echo to standard output; cat >/dev/null").err, "to standard output")

@test
def foreach_failing_commands():
    """A command that fails says how; the same rows come again until it succeeds, and then no more"""
    has(command("cat > first; echo why it failed >&2; exit 3", code=1).err, "INLET_COMMAND_FAILED", "status 3", "why it failed")
    has(once(code=1).err, "status 3")
    pipeline(foreach=["/bin/sh", "-c", "cat > second"])
    once()
    equal(open("first").read(), open("second").read())
    os.unlink("second")
    once()
    assert not os.path.exists("second")
    has(command("kill -9 $$", code=1).err, "signal 9")
    fresh([{"a": 1}], foreach=["./not-there"])
    has(once(code=1).err, "not-there")
    fresh([{"a": 1}], foreach=["/etc/passwd"])
    has(once(code=1).err, "/etc/passwd")

@test
def foreach_hanging_command():
    """A command that ignores SIGTERM is killed with its children when the run is stopped at once, and gets its rows again"""
    import signal, time
    fresh([{"a": 1, "b": "x"}], foreach=["/bin/sh", "-c", "trap '' TERM; echo $$ > pid; sleep 300 & sleep 300"])
    with service() as p:
        for _ in range(200):
            if os.path.exists("pid") and open("pid").read().strip():
                break
            time.sleep(0.05)
        group = int(open("pid").read())
        p.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        p.send_signal(signal.SIGTERM)
        p.wait(timeout=20)
    time.sleep(0.2)
    left = [int(name) for name in os.listdir("/proc") if name.isdigit() and group_of(name) == group]
    equal(left, [], "processes of the command's group that live on")
    pipeline(foreach=["/bin/sh", "-c", "cat > got"])
    once()
    equal(len(open("got").readlines()), 1)

def group_of(pid):
    """The process group, but for the dead that nobody has waited for."""
    try:
        state, _, group = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return int(group) if state != "Z" else None

main()

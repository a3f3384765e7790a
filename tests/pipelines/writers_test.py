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
    has(once(code=78).err, ": allowColumnDefaults, rowTracking, domainMetadata.")

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

main()

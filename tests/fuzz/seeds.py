"""seeds -- makes the first inputs of the fuzz targets from the stored oracle cases and by hand: seeds.py OUT [CASES].

The stored corpus (tests/fuzz/corpus) began with these and holds, besides, every input that once broke something."""
import bz2, glob, gzip, io, json, os, sys, zlib

OUT = sys.argv[1]
CASES = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(__file__), "../oracle/cases/formats")

def seed(target, name, data):
    os.makedirs(os.path.join(OUT, target), exist_ok=True)
    with open(os.path.join(OUT, target, name), "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)

def case_files():
    for case in sorted(os.listdir(CASES)):
        for folder, _, names in sorted(os.walk(os.path.join(CASES, case))):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.getsize(path) <= 2000:
                    yield case, name, open(path, "rb").read()

# The first byte chooses the settings: see the tables in json_read.c, csv_read.c, text_read.c.
SETTING = {"json_multiline": 4, "json_allow": 5, "json_linesep": 7, "json_encoding": 10, "json_drop": 2, "json_fail": 3,
           "csv_multiline": 4, "csv_comment": 5, "csv_header": 2, "csv_encoding": 9, "csv_drop": 2, "csv_fail": 3, "csv_linesep": 14}

def setting_of(case):
    return next((n for prefix, n in SETTING.items() if case.startswith(prefix)), 0)

for case, name, data in case_files():
    if name == "pipeline.yaml":
        if sum(case.encode()) % 3 == 0:
            seed("pipeline", case, data)
    elif name.endswith(".json") and name != "expected.json" and case.startswith("json"):
        seed("json_read", case, bytes([setting_of(case)]) + data)
    elif name.endswith(".csv"):
        seed("csv_read", case, bytes([setting_of(case)]) + data)
    elif name.endswith(".txt"):
        seed("text_read", case, b"\0" + data)

RICH = '{"a":"x\\u00e9\\n","n":12,"d":1.5e3,"m":"12.30","t":"2024-02-29T12:34:56.789Z","y":"2024-02-29","b":true,"l":[1,null,3],"s":{"x":"q","y":[{"z":1}]},"k":{"p":"v"},"f":-0.0,"i":7,"z":"YWJj","u":"2024-01-01 00:00:00"}\n'
for n in range(14):
    seed("json_read", f"rich_{n}", bytes([n]) + (RICH * 2 + '{"a":\n[]\n[{"a":"1"},{"n":2}]\n').encode({8: "utf-16-le", 9: "utf-32"}.get(n, "utf-8")))
NESTED = '{"s":{"a":"x","n":1,"s":{"a":"y","l":[{"a":"z","n":2},{"n":"bad"}]},"k":{"p":{"a":"q","z":"YWJj"}}},"l":[{"m":["1",null]},{}],"a":"e","n":9,"z":"YQ=="}\n'
for n in range(14, 17):
    seed("json_read", f"nested_{n}", bytes([n]) + (NESTED + '{"s":{"a":"x","s":{"a":"y","l":[{"a":"z",}]}},"a":"e"}\n').encode())
    seed("json_read", f"nested_cut_{n}", bytes([n]) + NESTED[:95].encode())
CSV = 'x,1,1.5,2024-02-29 12:34:56,2024-02-29,12.30,true,z\n"a ""q"" b",2,,,,,,"two\nlines"\n"open,1\n#c\n'
for n in range(17):
    seed("csv_read", f"rich_{n}", bytes([n]) + CSV.encode({8: "utf-16"}.get(n, "utf-8")))
for n in range(5):
    seed("text_read", f"rich_{n}", bytes([n]) + b"one\ntwo\r\nthreeabfouraab\n\n\xff\xfe\n")

def varint(n):
    return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])

def packed(values):
    """DELTA_BINARY_PACKED with blocks of 32 values in one miniblock, deltas of 8 bits."""
    zigzag = lambda n: n * 2 if n >= 0 else -n * 2 - 1
    out = varint(32) + varint(1) + varint(len(values)) + varint(zigzag(values[0]))
    deltas = [b - a for a, b in zip(values, values[1:])]
    for at in range(0, len(deltas), 32):
        part = deltas[at:at + 32]
        out += varint(zigzag(min(part))) + b"\x08" + bytes(d - min(part) for d in part) + bytes(32 - len(part))
    return out

numbers, words = [3, 1, 4, 1, 5, 9, 2, 6] * 6, [b"apple", b"apply", b"maple", b"maps!"]
for leaf in (0, 1):
    seed("parquet_delta", f"packed_{leaf}", bytes([leaf * 4, 9]) + packed(numbers))
for leaf in (2, 3):
    seed("parquet_delta", f"lengths_{leaf}", bytes([leaf * 4 + 1, 9]) + packed([5] * 4) + b"".join(words))
    seed("parquet_delta", f"prefixes_{leaf}", bytes([leaf * 4 + 2, 9]) + packed([0, 4, 0, 3]) + packed([5, 1, 5, 2]) + b"appleymaples!")
for leaf in range(6):
    seed("parquet_delta", f"split_{leaf}", bytes([leaf * 4 + 3, 9]) + bytes(range(40)))

text = (b"abc abc abc\n" * 20)
seed("codecs", "gzip", b"\1\3" + gzip.compress(text, mtime=0))
seed("codecs", "gzip_two", b"\1\0" + gzip.compress(text, mtime=0) + gzip.compress(b"x", mtime=0))
seed("codecs", "bzip2", b"\2\3" + bz2.compress(text))
seed("codecs", "deflate", b"\3\3" + zlib.compress(text))
for n in range(7, 20):
    seed("codecs", f"plain_{n}", bytes([n, 20]) + text)
try:
    import pyarrow as pa
    seed("codecs", "zstd", b"\6\3" + pa.Codec("zstd").compress(text, asbytes=True))
    seed("codecs", "lz4_frame", b"\5\3" + pa.Codec("lz4").compress(text, asbytes=True))
    for n, name in ((15, "snappy"), (16, "gzip"), (18, "zstd"), (19, "lz4_raw")):
        seed("codecs", f"page_{name}", bytes([n, 14]) + pa.Codec(name).compress(text[:239], asbytes=True))
    block = pa.Codec("snappy").compress(text, asbytes=True)
    seed("codecs", "snappy_hadoop", b"\4\3" + len(text).to_bytes(4, "big") + len(block).to_bytes(4, "big") + block)
    block = pa.Codec("lz4_raw").compress(text, asbytes=True)
    seed("codecs", "lz4_hadoop", b"\5\3" + len(text).to_bytes(4, "big") + len(block).to_bytes(4, "big") + block)
    import pyarrow.parquet as pq
    table = pa.table({"i": pa.array([1, None, 3, 2**31 - 1, -5] * 8, pa.int32()), "l": pa.array(list(range(0, 400, 10)), pa.int64()), "s": [f"name{n % 7}" for n in range(40)],
                      "f": pa.array([b"abc%02d" % n for n in range(40)], pa.binary(5)), "d": [n / 3 for n in range(40)], "t": pa.array([[n, n + 1] for n in range(40)], pa.list_(pa.int32()))})
    for version in ("1.0", "2.0"):
        for text_encoding in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
            file = io.BytesIO()
            pq.write_table(table, file, compression="none", use_dictionary=False, data_page_version=version, write_statistics=False, store_schema=False,
                           column_encoding={"i": "DELTA_BINARY_PACKED", "l": "DELTA_BINARY_PACKED", "s": text_encoding, "f": "DELTA_BYTE_ARRAY", "d": "BYTE_STREAM_SPLIT", "t.list.element": "DELTA_BINARY_PACKED"})
            seed("parquet_read", f"{text_encoding.lower()}_{version[0]}", file.getvalue())
except ImportError:
    print("no pyarrow: fewer seeds", file=sys.stderr)

for i, word in enumerate(["0", "-12", "+7", "1.5", "1e10", "0x1.8p3", "NaN", "-Infinity", "1.7976931348623157e308", "4.9e-324", "123456789012345678901234567890.12", "1,234.5",
                          "2024-02-29", "2024-02-29T12:34:56.123456+05:30", "2024-02-29 12:34:56 Europe/Berlin", "-290308-12-21", "٣", "10g", "7d", "interval 1 day 2 hours",
                          "Europe/Berlin", "GMT+1", "é€𝄞", "\ud7ff"]):
    seed("scalars", f"word_{i}", bytes([i * 7 % 256]) + word.encode())
seed("scalars", "utf8_bad", b"\0a\xc3\xe2\x82\xf0\x9d\x84\xed\xa0\x80\xff")

for i, (locale, pattern, value) in enumerate([
        ("", "yyyy-MM-dd HH:mm:ss[.SSS]", "2024-02-29 12:34:56.789"), ("de-DE", "d. MMMM uuuu", "29. Februar 2024"), ("fr", "EEE d MMM yyyy", "jeu. 29 févr. 2024"),
        ("", "yyyy-MM-dd'T'HH:mm:ssXXX", "2024-02-29T12:34:56+05:30"), ("", "dd/MM/yy hh:mm a VV", "29/02/24 01:00 PM UTC"), ("", "yyyyDDD", "2024060"), ("", "Q uuuu G", "1 2024 AD"),
        ("", "yyyy-MM-dd HH:mm:ss z", "2024-02-29 12:34:56 PST"), ("", "OOOO zzzz", "GMT+05:30 x"), ("", "''[[]]#{", "x")]):
    seed("datetime", f"pattern_{i}", f"{locale}\n{pattern}\n{value}")

seed("tree", "json", b"\0" + b'{"a":[1,2.5,-3e4,null,true,"x\\u00e9\\ud834\\udd1e\\n"],"b":{"c":{}}}')
seed("tree", "yaml", b"\1a: [1, 2.5, ~, yes]\nb:\n  c: |\n    text\n  d: 'q''q'\n  e: \"\\u00e9\"\nf: &x {g: 1}\n")
seed("tree", "yaml_alias", b"\1a: &x [1]\nb: *x\n")
seed("pipeline", "small", "readStream: {format: json, load: in, schema: 'a INT', options: {maxFilesPerTrigger: 2}}\nwriteStream: {format: parquet, start: out, options: {checkpointLocation: ck}}\n")
seed("pipeline", "full", """queryName: q
conf: {spark.sql.session.timeZone: UTC}
readStream:
  format: cloudFiles
  load: ["in/{a,b}/*", /x/k=*]
  schema: "a INT, b STRUCT<c: STRING>"
  options: {cloudFiles.format: csv, header: "true", cloudFiles.maxBytesPerTrigger: 10mb}
query: SELECT a, b.c AS d, _metadata.file_path FROM input
writeStream:
  format: delta
  start: out
  partitionBy: [d]
  trigger: {processingTime: 10 seconds}
  options: {checkpointLocation: ck, mergeSchema: "true"}
""")
seed("pipeline", "json", '{"readStream":{"format":"text","load":"${HOME}"},"writeStream":{"foreachBatch":{"command":["cat","-"]},"trigger":{"availableNow":true},"options":{"checkpointLocation":"ck"}}}')

for i, ddl in enumerate(["a INT, b STRING NOT NULL COMMENT 'x'", "`a b` STRUCT<c: ARRAY<MAP<STRING, DECIMAL(10,2)>>, d: TIMESTAMP_NTZ>", "a VARCHAR(3), b CHAR(2), c BINARY, d VOID", "x INTERVAL"]):
    seed("schema", f"ddl_{i}", b"\0" + ddl.encode())
seed("schema", "type_0", b"\1ARRAY<STRUCT<a: DATE, `b``c`: TINYINT>>")
seed("schema", "json_0", b'\2{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{"comment":"x"}},{"name":"b","type":{"type":"array","elementType":{"type":"map","keyType":"string","valueType":"decimal(10,2)","valueContainsNull":true},"containsNull":false},"nullable":false,"metadata":{}}]}')

for i, (pattern, paths) in enumerate([("in/*.json", "in/a.json\nin/b/c.json"), ("{a,b{c,d}}/k=[0-9]*/x?y", "a/k=1/xzy\nbc/k=22/x.y"), ("a\\*b/[!a-c^]", "a*b/d"), ("**/{x,y/z}*", "p/q/x"), ("*a*a*a*a*a*b", "a" * 60)]):
    seed("glob", f"glob_{i}", pattern + "\n" + paths)

seed("options", "json", b"\0mode=DROPMALFORMED\nmaxFilesPerTrigger=5\ncleanSource=archive\nsourceArchiveDir=/a\n")
seed("options", "csv", b"\1sep=||\nquote=\nheader=true\nmaxFileAge=7d\n")
seed("options", "cloud", b"\3cloudFiles.maxBytesPerTrigger=10g\ncloudFiles.backfillInterval=1 day\nuseNotifications=true\ncleanSource=MOVE\ncleanSource.moveDestination=/x\n")
seed("options", "sink", b"\6compression=zstd\ncheckpointLocation=ck\n")
seed("options", "session", b"\nspark.sql.session.timeZone=Europe/Berlin\nspark.sql.ansi.enabled=false\n")

PROTOCOL = '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n'
META = json.dumps({"metaData": {"id": "11111111-1111-1111-1111-111111111111", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps({"type": "struct", "fields": [{"name": "a", "type": "long", "nullable": True, "metadata": {}}, {"name": "p", "type": "string", "nullable": True, "metadata": {}}]}), "partitionColumns": ["p"], "configuration": {"delta.appendOnly": "true"}, "createdTime": 1}}) + "\n"
ADD = json.dumps({"add": {"path": "p=x%20y/part-0.parquet", "partitionValues": {"p": "x y"}, "size": 10, "modificationTime": 5, "dataChange": True, "stats": "{\"numRecords\":1}"}}) + "\n"
REST = '{"remove":{"path":"p=z/old.parquet","deletionTimestamp":7,"dataChange":true}}\n{"txn":{"appId":"app","version":3,"lastUpdated":9}}\n{"commitInfo":{"timestamp":1,"operation":"STREAMING UPDATE","operationParameters":{"epochId":"0"}}}\n'
seed("delta_log", "two", f"== {0:020d}.json\n{PROTOCOL}{META}{ADD}== {1:020d}.json\n{ADD}{REST}")
seed("delta_log", "features", f"== {0:020d}.json\n" + '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz","x"]}}\n' + META)
seed("delta_log", "checkpoint", f"== {1:020d}.json\n{ADD}== _last_checkpoint\n" + '{"version":0,"size":3,"parts":2}\n' + f"== {0:020d}.checkpoint.parquet\nPAR1PAR1")
SINK = '{"path":"file:///out/part-0.parquet","size":10,"isDir":false,"modificationTime":5,"blockReplication":1,"blockSize":1,"action":"add"}\n'
seed("sink_log", "two", f"== 0\nv1\n{SINK}== 1\nv1\n{SINK}{SINK}")
seed("sink_log", "compact", f"== 9.compact\nv1\n{SINK}== 10\nv1")

for i, sql in enumerate(["SELECT * FROM input", "select a, b.c AS d, `x y`, _metadata.file_path from input", "SELECT l[0], count(*) FROM input WHERE a > 1 -- c", "SELECT /* x */ *, p FROM input", "SELEC a"]):
    seed("select", f"sql_{i}", sql)

for i, folders in enumerate(["k=1/d=2024-02-29\nk=2/d=__HIVE_DEFAULT_PARTITION__", "k=a%2Fb%3D/t=2024-01-01 10%3A00%3A00/m=1.5/b=true", "x/k=1\ny/k=2", "k=\n", "=1", "k=9223372036854775808\nk=-1\nk=1e3"]):
    for rules in (1, 3, 5):
        seed("partitions", f"folders_{i}_{rules}", bytes([rules]) + folders.encode())

try:
    import datetime, decimal, pyarrow.parquet as pq
    table = pa.table({"a": pa.array([1, None, 3]), "s": ["x", "yy", None], "l": pa.array([[1], [], None]), "m": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
                      "t": pa.array([datetime.datetime(2024, 1, 1), None, None], pa.timestamp("us", "UTC")), "d": pa.array([decimal.Decimal("1.50"), None, None], pa.decimal128(10, 2)),
                      "b": [True, None, False], "st": pa.array([{"x": {"y": 1.5}}, None, {"x": None}])})
    for i, more in enumerate([{}, {"compression": "none", "use_dictionary": False}, {"compression": "zstd", "data_page_version": "2.0"}, {"compression": "gzip", "row_group_size": 1}, {"use_deprecated_int96_timestamps": True, "compression": "none"}]):
        out = io.BytesIO()
        pq.write_table(table, out, write_statistics=i == 0, store_schema=False, **more)
        seed("parquet_read", f"all_{i}", out.getvalue())
        out = io.BytesIO()
        pq.write_table(table.select(["a", "s"]), out, write_statistics=False, store_schema=False, **more)
        seed("parquet_read", f"two_{i}", out.getvalue())
    for text in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
        out = io.BytesIO()
        pq.write_table(pa.table({"a": pa.array([1, None, 300000, -5], pa.int64()), "s": ["x", "xyy", None, "xz"], "d": [1.5, None, 2.5, -0.0]}), out, use_dictionary=False, write_statistics=False,
                       store_schema=False, compression="none", column_encoding={"a": "DELTA_BINARY_PACKED", "s": text, "d": "BYTE_STREAM_SPLIT"})
        seed("parquet_read", text.lower(), out.getvalue())
except (ImportError, NameError):
    pass

for table in range(16):
    for row in (0, 1, 255):
        seed("ledger", f"table_{table}_{row}", bytes([table, row]) + (b"\x0a" + b"\0" * 11 if row == 255 else b"") + bytes(range(1, 20)))
seed("ledger", "manifest", b"\x10" + b'{"rows":2,"bytes":77,"detail":"x","files":[{"s":"a","f":"b","b":1,"r":2,"m":3,"d":"{}"}]}')

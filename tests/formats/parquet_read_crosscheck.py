#!/usr/bin/env python3
# tool: parquet_dump
"""Files written by pyarrow, DuckDB and polars, read by inlet's Parquet reader: every value must be the same.

usage: parquet_read_crosscheck.py DUMP [SEED [ROUNDS]]    (DUMP: tests/tools/parquet_dump, built)
"""
import datetime, decimal, json, math, os, random, subprocess, sys, tempfile

import pyarrow as pa
import pyarrow.parquet as pq

DUMP = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 60
rng = random.Random(SEED)
EPOCH = datetime.date(1970, 1, 1)


def random_field(name, depth, chance):
    t = random_type(depth)
    return pa.field(name, t, nullable=pa.types.is_null(t) or rng.random() < chance)


def random_type(depth):
    leaves = [pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
              pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.binary(7), pa.date32(), pa.timestamp("us"),
              pa.timestamp("us", "UTC"), pa.timestamp("ms", "UTC"), pa.decimal128(7, 2), pa.decimal128(17, 5), pa.decimal128(38, 10),
              pa.null()]
    if depth == 0 or rng.random() < 0.5:
        return rng.choice(leaves)
    kind = rng.randrange(3)
    if kind == 0:
        return pa.list_(random_field("element", depth - 1, 0.8))
    if kind == 1:
        return pa.map_(rng.choice([pa.string(), pa.int32()]), random_type(depth - 1))
    return pa.struct([random_field(f"f{i}", depth - 1, 0.8) for i in range(rng.randint(1, 3))])


def random_value(t, nullable, nulls):
    if pa.types.is_null(t):
        return None
    if nullable and rng.random() < nulls:
        return None
    if pa.types.is_boolean(t): return rng.random() < 0.5
    if pa.types.is_integer(t):
        bits = t.bit_width
        low, high = (0, 2 ** bits - 1) if pa.types.is_unsigned_integer(t) else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
        return rng.choice([low, high, 0, rng.randint(low, high), rng.randint(0, 9), rng.randint(0, 9)])
    if pa.types.is_float32(t): return rng.choice([0.0, 1.5, -2.25, float("inf"), 3.0])
    if pa.types.is_float64(t): return rng.choice([rng.uniform(-1e9, 1e9), 0.1, -0.0, float("nan"), float("-inf")])
    if pa.types.is_string(t): return rng.choice(["", "a", "é" * rng.randint(0, 40), "x" * rng.randint(0, 200), f"k{rng.randint(0, 20)}"])
    if pa.types.is_fixed_size_binary(t): return rng.randbytes(t.byte_width)
    if pa.types.is_binary(t): return rng.randbytes(rng.randint(0, 12))
    if pa.types.is_date(t): return EPOCH + datetime.timedelta(days=rng.randint(-100000, 100000))
    if pa.types.is_timestamp(t): return rng.randint(-10 ** 12, 10 ** 12) * (1 if t.unit == "ms" else 1000 + rng.randint(0, 5))
    if pa.types.is_decimal(t):
        return decimal.Decimal(rng.randint(-10 ** t.precision + 1, 10 ** t.precision - 1)).scaleb(-t.scale, decimal.Context(prec=50))
    if pa.types.is_map(t):
        keys = {random_value(t.key_type, False, 0) for _ in range(rng.choice([0, 0, 1, 3]))}
        return [(k, random_value(t.item_type, True, nulls)) for k in keys]
    if pa.types.is_list(t):
        return [random_value(t.value_type, t.value_field.nullable, nulls) for _ in range(rng.choice([0, 0, 1, 2, 5, 40 if rng.random() < 0.05 else 1]))]
    if pa.types.is_struct(t):
        return {f.name: random_value(f.type, f.nullable, nulls) for f in t}
    raise AssertionError(t)


def plain(value, t):
    """The value as parquet_dump prints it."""
    if value is None or pa.types.is_null(t): return None
    if pa.types.is_uint64(t) or pa.types.is_decimal(t): return format(decimal.Decimal(value), "f")
    if pa.types.is_floating(t):
        if math.isnan(value): return "NaN"
        if math.isinf(value): return "Infinity" if value > 0 else "-Infinity"
        return value
    if pa.types.is_string(t) or pa.types.is_large_string(t): return value
    if pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t) or pa.types.is_large_binary(t): return value.hex()
    if pa.types.is_date(t): return (value - EPOCH).days
    if pa.types.is_timestamp(t): raise AssertionError
    if pa.types.is_map(t): return [[plain(k, t.key_type), plain(v, t.item_type)] for k, v in value]
    if pa.types.is_list(t) or pa.types.is_large_list(t): return [plain(v, t.value_type) for v in value]
    if pa.types.is_struct(t): return {f.name: plain(value[f.name], f.type) for f in t}
    return value


def without_time(t):
    """Timestamps as the numbers of microseconds that they are, so that no Python datetime is in the way."""
    if pa.types.is_timestamp(t): return pa.int64()
    if pa.types.is_map(t): return pa.map_(t.key_type, without_time(t.item_type))
    if pa.types.is_list(t): return pa.list_(t.value_field.with_type(without_time(t.value_type)))
    if pa.types.is_large_list(t): return pa.list_(t.value_field.with_type(without_time(t.value_type)))
    if pa.types.is_struct(t): return pa.struct([f.with_type(without_time(f.type)) for f in t])
    return t


def micros(value, t):
    if value is None: return None
    if pa.types.is_timestamp(t):
        return value * 1000 if t.unit == "ms" else value
    if pa.types.is_map(t): return [(k, micros(v, t.item_type)) for k, v in value]
    if pa.types.is_list(t): return [micros(v, t.value_type) for v in value]
    if pa.types.is_struct(t): return {f.name: micros(value[f.name], f.type) for f in t}
    return value


def dump(path):
    done = subprocess.run([DUMP, path], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"seed {SEED}: {path}: {done.stderr}")
    lines = done.stdout.split("\n")[:-1]
    return json.loads(lines[0]), [json.loads(line) for line in lines[1:]]


def compare(path, expected, what):
    schema, rows = dump(path)
    assert len(rows) == len(expected), f"seed {SEED}: {what}: {len(rows)} rows, expected {len(expected)}"
    for i, (got, want) in enumerate(zip(rows, expected)):
        if got != want:
            raise SystemExit(f"seed {SEED}: {what} row {i} of {path}:\n got {got}\nwant {want}\n")


def arrow_round(folder, number):
    fields = [random_field(f"c{i}", 3, 0.85) for i in range(rng.randint(1, 5))]
    count = rng.choice([0, 1, 7, 300, 3000])
    nulls = rng.choice([0, 0.1, 0.5, 0.95])
    raw = [{f.name: random_value(f.type, f.nullable, nulls) for f in fields} for _ in range(count)]
    table = pa.Table.from_pylist(raw, schema=pa.schema(fields))
    options = dict(data_page_version=rng.choice(["1.0", "2.0"]), compression=rng.choice(["none", "snappy", "gzip", "zstd", "lz4"]),
                   use_dictionary=rng.choice([True, False]), row_group_size=rng.choice([10, 100, 5000, 100000]),
                   data_page_size=rng.choice([64, 1000, 1 << 20]), version=rng.choice(["1.0", "2.4", "2.6"]),
                   use_deprecated_int96_timestamps=rng.random() < 0.2, write_batch_size=rng.choice([3, 64, 1024]),
                   store_decimal_as_integer=rng.random() < 0.5)
    path = os.path.join(folder, f"arrow{number}.parquet")
    try:
        pq.write_table(table, path, **options)
    except (pa.lib.ArrowNotImplementedError, pa.lib.ArrowInvalid) as problem:
        print(f"# not written: {problem}")
        return
    expected = []
    for row in raw:
        expected.append({f.name: plain(micros(row[f.name], f.type), without_time(f.type)) for f in fields})
    compare(path, expected, f"pyarrow {options} {fields}")


SQL = """SELECT i::TINYINT AS t, i::BIGINT * 1000000007 AS b, CASE WHEN i % 7 = 0 THEN NULL ELSE 'text ' || (i % 50) END AS s,
 i::DOUBLE / 3 AS d, (i::DECIMAL(18,3) / 8)::DECIMAL(18,3) AS m, (i::DECIMAL(38,3))::DECIMAL(38,3) AS h, DATE '2020-01-01' + i::INTEGER AS day,
 [x FOR x IN range(i % 5)] AS l, {'x': i, 'y': [i % 3, NULL]} AS st, MAP([i::VARCHAR], [i % 2 = 0]) AS mp, i % 3 = 0 AS flag
 FROM range(120) r(i)"""


def duckdb_round(folder):
    import duckdb
    for codec in ["snappy", "zstd", "gzip", "lz4_raw", "uncompressed"]:
        path = os.path.join(folder, f"duck_{codec}.parquet")
        duckdb.sql(f"COPY ({SQL}) TO '{path}' (FORMAT parquet, COMPRESSION '{codec}', ROW_GROUP_SIZE 50)")
        compare_with_arrow(path, f"duckdb {codec}")


def compare_with_arrow(path, what):
    table = pq.read_table(path)
    expected = [{f.name: plain(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()]
    compare(path, expected, what)


def polars_round(folder):
    import polars
    frame = polars.DataFrame({"i": [1, None, 3], "s": ["a", None, ""], "l": [[1, 2], [], None], "b": [True, None, False],
                              "st": [{"x": 1, "y": "q"}, None, {"x": None, "y": None}], "f": [1.5, None, float("inf")]})
    for codec in ["snappy", "zstd", "gzip", "lz4", "uncompressed"]:
        path = os.path.join(folder, f"polars_{codec}.parquet")
        frame.write_parquet(path, compression=codec, use_pyarrow=False)
        compare_with_arrow(path, f"polars {codec}")


def delta_round(folder, number):
    """The DELTA encodings and BYTE_STREAM_SPLIT, around the sizes of their blocks."""
    count = rng.choice([1, 2, 31, 32, 33, 127, 128, 129, 1000, 5000])
    wide = rng.choice([1, 100, 1 << 31, 1 << 62])
    missing = lambda value: None if rng.random() < 0.1 else value
    word = lambda: "".join(rng.choice("abé ") for _ in range(rng.randrange(20)))
    values = {"l": pa.array([missing(rng.randint(-wide, wide)) for _ in range(count)], pa.int64()),
              "i": pa.array([missing(rng.randint(-min(wide, 1 << 30), min(wide, 1 << 30))) for _ in range(count)], pa.int32()),
              "s": pa.array(sorted(word() for _ in range(count)), pa.string()), "t": pa.array([missing(word()) for _ in range(count)], pa.string()),
              "d": pa.array([missing(rng.random()) for _ in range(count)], pa.float64()), "f": pa.array([float(rng.randrange(1000)) for _ in range(count)], pa.float32())}
    path = os.path.join(folder, f"delta{number}.parquet")
    pq.write_table(pa.table(values), path, use_dictionary=False, data_page_version=rng.choice(["1.0", "2.0"]), data_page_size=rng.choice([100, 1 << 20]),
                   compression=rng.choice(["none", "snappy", "zstd"]),
                   column_encoding={"l": "DELTA_BINARY_PACKED", "i": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY", "t": "DELTA_LENGTH_BYTE_ARRAY",
                                    "d": "BYTE_STREAM_SPLIT", "f": "BYTE_STREAM_SPLIT"})
    compare_with_arrow(path, f"delta {count} {wide}")


def refusals(folder):
    path = os.path.join(folder, "nanos.parquet")
    pq.write_table(pa.table({"a": pa.array([1], pa.timestamp("ns"))}), path, version="2.6")
    done = subprocess.run([DUMP, path], capture_output=True, text=True)
    assert done.returncode == 1 and "NANOS" in done.stderr, done.stderr


def damage(folder, rounds):
    """Flipped and cut bytes: an answer or an error, never a crash."""
    path = os.path.join(folder, "whole.parquet")
    fields = [pa.field("a", pa.list_(pa.struct([("x", pa.int32()), ("y", pa.string())]))), pa.field("b", pa.string()), pa.field("m", pa.map_(pa.string(), pa.float64()))]
    raw = [{f.name: random_value(f.type, True, 0.2) for f in fields} for _ in range(200)]
    for codec in ["none", "snappy", "zstd"]:
        for version in ["1.0", "2.0"]:
            pq.write_table(pa.Table.from_pylist(raw, schema=pa.schema(fields)), path, compression=codec, data_page_version=version, data_page_size=500)
            whole = open(path, "rb").read()
            footer = int.from_bytes(whole[-8:-4], "little")
            for i in range(rounds):
                bytes_ = bytearray(whole)
                low = len(whole) - 8 - footer if i % 2 else 4
                for _ in range(rng.choice([1, 1, 2, 5])):
                    bytes_[rng.randrange(low, len(bytes_))] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
                if i % 10 == 0: bytes_ = bytes_[:rng.randrange(len(bytes_))]
                with open(path, "wb") as file: file.write(bytes_)
                done = subprocess.run([DUMP, path], capture_output=True, timeout=60)
                assert done.returncode in (0, 1), f"seed {SEED}: exit {done.returncode} on damaged file\n{done.stderr.decode(errors='replace')}"


def arrow_rounds(folder):
    for number in range(ROUNDS):
        arrow_round(folder, number)


def delta_rounds(folder):
    for number in range(ROUNDS):
        delta_round(folder, number)


PARTS = [("files of pyarrow", arrow_rounds), ("pages in the DELTA encodings", delta_rounds), ("files of DuckDB", duckdb_round), ("files of polars", polars_round),
         ("what cannot be read is refused by name", refusals), ("a damaged file is an error, never a crash", lambda folder: damage(folder, ROUNDS))]
print(f"1..{len(PARTS)}")
print(f"# seed {SEED}, {ROUNDS} rounds", flush=True)
with tempfile.TemporaryDirectory() as folder:
    for number, (title, part) in enumerate(PARTS, 1):
        part(folder)
        print(f"ok {number} - {title}", flush=True)

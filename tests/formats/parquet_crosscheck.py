#!/usr/bin/env python3
# tool: parquet_random
"""parquet_crosscheck -- random files of our Parquet writer, read back by pyarrow, DuckDB and (where installed) polars.

usage: parquet_crosscheck.py PARQUET_RANDOM [--seeds FIRST:COUNT] [--rows N]

Prints TAP. Every seed is one file of random schema, nesting, nulls, encodings and settings (see
tests/tools/parquet_random.c); all readers must give the rows that were put in, and the footer's statistics must hold
for them."""
import argparse, decimal, json, math, os, subprocess, sys, tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

try:
    import polars
except ImportError:
    polars = None

SETTINGS = [
    ["compression=snappy"], ["compression=zstd"], ["compression=gzip"], ["compression=lz4_raw"], ["compression=none"],
    ["compression=lz4"], ["parquet.page.size=2048"], ["parquet.enable.dictionary=false"],
    ["spark.sql.parquet.outputTimestampType=INT96"], ["spark.sql.parquet.outputTimestampType=TIMESTAMP_MILLIS"],
    ["spark.sql.parquet.writeLegacyFormat=true"], ["compression=zstd", "parquet.page.size=1024"],
]


def real(value):
    return "nan" if math.isnan(value) else value


def plain(array):
    """An Arrow array as plain Python values, without any reader's own idea of dates, maps or structs."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in plain(chunk)]
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_struct(kind):
        columns = [plain(column) for column in array.flatten()]
        rows = [list(row) for row in zip(*columns)]
        return [row if valid.as_py() else None for row, valid in zip(rows, array.is_valid())]
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if pa.types.is_map(kind):
            items = [list(pair) for pair in zip(plain(array.keys), plain(array.items))]
        else:
            items = plain(array.values)
        offsets = array.offsets.to_pylist()
        return [items[offsets[i]:offsets[i + 1]] if valid.as_py() else None for i, valid in enumerate(array.is_valid())]
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_date32(kind):
        return array.cast(pa.int32()).to_pylist()
    if pa.types.is_floating(kind):
        return [None if value is None else real(value) for value in array.to_pylist()]
    return array.to_pylist()


def expect(type_, value, millis):
    """A value of the JSON rows in the form of plain()."""
    if value is None:
        return None
    if isinstance(type_, dict):
        if type_["type"] == "struct":
            return [expect(field["type"], part, millis) for field, part in zip(type_["fields"], value)]
        if type_["type"] == "array":
            return [expect(type_["elementType"], part, millis) for part in value]
        return [[expect(type_["keyType"], key, millis), expect(type_["valueType"], part, millis)] for key, part in value]
    if type_ in ("float", "double"):
        return real(pa.scalar(float(value), pa.float32()).as_py() if type_ == "float" else float(value))
    if type_.startswith("decimal"):
        return decimal.Decimal(value)
    if type_ == "binary":
        return bytes.fromhex(value)
    if type_ == "timestamp" and millis:
        return value // 1000 * 1000
    return value


def first_difference(expected, found):
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}"
    for row, (wanted, got) in enumerate(zip(expected, found)):
        if wanted != got:
            return f"row {row}: {got!r:.300} instead of {wanted!r:.300}"
    return None


def compare(columns, table):
    for index, expected in enumerate(columns):
        difference = first_difference(expected, plain(table.column(index)))
        if difference:
            return f"column {index} ({table.schema.field(index).type}): {difference}"
    return None


def read_pyarrow(path):
    return pq.read_table(path, coerce_int96_timestamp_unit="us")


def read_duckdb(path):
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set timezone='UTC'")
    return connection.sql(f"select * from read_parquet('{path}')").to_arrow_table()


def read_polars(path):
    return polars.read_parquet(path).to_arrow(compat_level=polars.CompatLevel.oldest())


def physical_columns(table, schema):
    """Values of every leaf of a flat column, in order, to hold statistics against."""
    return {field.name: [value for value in plain(table.column(index)) if value is not None]
            for index, field in enumerate(schema) if not pa.types.is_nested(field.type)}


def check_statistics(path, head):
    file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")
    metadata = file.metadata
    nulls = [0] * metadata.num_columns
    for group in range(metadata.num_row_groups):
        values = physical_columns(file.read_row_group(group), file.schema_arrow)
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            statistics = column.statistics
            nulls[index] += statistics.null_count if statistics else 0
            present = values.get(column.path_in_schema)
            if not statistics or not statistics.has_min_max or present is None:
                continue
            bounds = pa.array([statistics.min, statistics.max], file.schema_arrow.field(column.path_in_schema).type)
            low, high = plain(bounds)
            if any(value == "nan" for value in present):
                return f"{column.path_in_schema}: bounds beside a NaN"
            if isinstance(low, str):
                low, high, present = low.encode(), high.encode(), [value.encode() for value in present]
            if min(present) < low or max(present) > high:
                return f"{column.path_in_schema}: bounds {low!r} {high!r} of {min(present)!r} {max(present)!r}"
    return None if nulls == head["nulls"] else f"null counts {nulls} instead of {head['nulls']}"


def check_footer(path, head):
    metadata = pq.ParquetFile(path).metadata
    keys = metadata.metadata
    if json.loads(keys[b"org.apache.spark.sql.parquet.row.metadata"]) != head["schema"]:
        return "row.metadata is not the schema"
    if keys[b"org.apache.spark.version"] != b"4.2.0" or not metadata.created_by.startswith("inlet version "):
        return f"written by {metadata.created_by}"
    return None


def check_file(path, head, rows, settings):
    millis = "spark.sql.parquet.outputTimestampType=TIMESTAMP_MILLIS" in settings
    types = [field["type"] for field in head["schema"]["fields"]]
    columns = [[expect(type_, row[index], millis) for row in rows] for index, type_ in enumerate(types)]
    problems = [("footer", check_footer(path, head)), ("statistics", check_statistics(path, head)), ("pyarrow", compare(columns, read_pyarrow(path)))]
    if "compression=lz4" not in settings:  # Hadoop's framing is read by pyarrow (and Spark) only.
        problems.append(("duckdb", compare(columns, read_duckdb(path))))
        # polars reads INT96 as nanoseconds, which end in 1677, and knows no BOOLEAN of type UNKNOWN, which is Spark's void.
        if polars and "INT96" not in " ".join(settings) and '"void"' not in json.dumps(types):
            problems.append(("polars", compare(columns, read_polars(path))))
    return [f"{reader}: {problem}" for reader, problem in problems if problem]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seeds", default=os.environ.get("INLET_SEEDS", "1:36"))
    parser.add_argument("--rows", type=int, default=3000)
    arguments = parser.parse_args()
    first, count = map(int, arguments.seeds.split(":"))
    print(f"1..{count}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(range(first, first + count), 1):
            settings = SETTINGS[seed % len(SETTINGS)]
            rows_wanted = 0 if seed % 17 == 0 else arguments.rows * (20 if seed % 9 == 0 else 1)
            path = os.path.join(folder, f"{seed}.parquet")
            run = subprocess.run([arguments.tool, str(seed), str(rows_wanted), path, *settings], capture_output=True, text=True)
            if run.returncode != 0:
                problems = [f"writer: exit {run.returncode} {run.stderr.strip()[-2000:]}"]
            else:
                lines = run.stdout.split("\n")[:-1]
                head, rows = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
                try:
                    problems = check_file(path, head, rows, settings)
                except Exception as fault:  # A reader that gives up is a finding, too.
                    problems = [f"{type(fault).__name__}: {fault}"]
                os.unlink(path)
            print(f"{'not ok' if problems else 'ok'} {number} - seed {seed} ({' '.join(settings)})")
            for problem in problems:
                print("# " + problem.replace("\n", "\n# "))
            failed += bool(problems)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)


main()

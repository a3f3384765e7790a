"""shapes -- the benchmark's data: how much of each shape, and its schema as inlet, DuckDB and Polars want it."""

def leaf(ddl, duck, polars):
    return ddl, duck, polars

LONG = leaf("BIGINT", "BIGINT", "Int64")
INT = leaf("INT", "INTEGER", "Int32")
DOUBLE = leaf("DOUBLE", "DOUBLE", "Float64")
TEXT = leaf("STRING", "VARCHAR", "String")
BOOL = leaf("BOOLEAN", "BOOLEAN", "Boolean")
TIME = leaf("TIMESTAMP", "TIMESTAMPTZ", "String")  # Polars' NDJSON reader leaves times as text: its task is the lighter one.

def ddl(kind):
    if isinstance(kind, tuple): return kind[0]
    if isinstance(kind, list): return f"ARRAY<{ddl(kind[0])}>"
    return "STRUCT<" + ", ".join(f"{name}: {ddl(k)}" for name, k in kind.items()) + ">"

def duck(kind):
    if isinstance(kind, tuple): return kind[1]
    if isinstance(kind, list): return duck(kind[0]) + "[]"
    return "STRUCT(" + ", ".join(f'"{name}" {duck(k)}' for name, k in kind.items()) + ")"

def polars(kind):
    import polars as pl
    if isinstance(kind, tuple): return getattr(pl, kind[2])
    if isinstance(kind, list): return pl.List(polars(kind[0]))
    return pl.Struct({name: polars(k) for name, k in kind.items()})

def level(depth):
    fields = {"n": INT, "s": TEXT, "items": [{"k": TEXT, "v": INT}]}
    if depth > 1: fields["child"] = level(depth - 1)
    return fields

FLAT = {"id": LONG, "device": TEXT, "kind": TEXT, "ts": TIME, "value": DOUBLE, "count": INT, "ok": BOOL}
COLUMNS = {
    "ndjson": {**FLAT, "user": {"name": TEXT, "age": INT, "geo": {"city": TEXT, "lat": DOUBLE, "lon": DOUBLE}}, "tags": [TEXT], "scores": [INT], "note": TEXT},
    "csv": {**FLAT, "label": TEXT, "city": TEXT, "lat": DOUBLE, "lon": DOUBLE, "note": TEXT},
    "wide": {"id": LONG, **{f"{('name', 'count', 'value', 'flag')[i % 4]}_{i}": (TEXT, INT, DOUBLE, BOOL)[i % 4] for i in range(120)}},
    "text": {"id": LONG, "title": TEXT, "body": TEXT, "language": TEXT},
    "nulls": {"id": LONG, **{f"c{i}": INT if i % 2 else TEXT for i in range(40)}},
    "distinct": {"id": LONG, "key": TEXT, "session": TEXT, "mail": TEXT, "path": TEXT},
    "deep": {"id": LONG, "root": level(10)},
    "numbers": {"id": LONG, **{f"n{i}": LONG if i % 2 else DOUBLE for i in range(16)}},
    "pretty": {"id": LONG, "device": TEXT, "ts": TIME, "value": DOUBLE, "user": {"name": TEXT, "age": INT}, "tags": [TEXT]},
    "plain": {**FLAT, "city": TEXT, "lat": DOUBLE, "lon": DOUBLE},
    "tree": {"id": LONG, "kind": TEXT, "value": INT},
}
# Files and rows a file, for the full run; --quick takes a twentieth.
SIZES = {"ndjson": (64, 60000), "csv": (64, 62500), "wide": (16, 6000), "text": (16, 12000), "nulls": (16, 40000), "distinct": (16, 80000),
         "deep": (16, 12000), "numbers": (16, 40000), "pretty": (16, 50000), "plain": (32, 60000)}
PRIVATE = ["wide", "text", "nulls", "distinct", "deep", "numbers", "pretty", "plain"]  # >= 2 x DuckDB on each.

def suffix(shape): return "csv" if shape in ("csv", "plain") else "json"
def spark_ddl(shape): return ", ".join(f"{name} {ddl(kind)}" for name, kind in COLUMNS[shape].items())
def duck_columns(shape): return "{" + ", ".join(f"'{name}': '{duck(kind)}'" for name, kind in COLUMNS[shape].items()) + "}"
def polars_schema(shape): return {name: polars(kind) for name, kind in COLUMNS[shape].items()}

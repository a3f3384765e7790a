"""peer -- one run of another program's reader and Parquet writer; prints the seconds of the work alone (imports and start not counted).

  peer.py duckdb|polars SHAPE CODEC GLOB OUT THREADS
"""
import os, sys, time

name, shape, codec, glob, out, threads = sys.argv[1:7]
os.environ["POLARS_MAX_THREADS"] = threads
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shapes

def run_duckdb():
    import duckdb
    base = duckdb.connect()
    base.execute(f"SET threads={threads}; SET TimeZone='UTC'")
    columns = shapes.duck_columns(shape)
    if shapes.suffix(shape) == "csv": source = f"read_csv('{glob}', header=true, columns={columns})"
    elif shape == "pretty": source = f"read_json('{glob}', format='array', columns={columns})"
    else: source = f"read_json('{glob}', format='newline_delimited', columns={columns})"
    level = ", COMPRESSION_LEVEL 3" if codec == "zstd" else ""
    start = time.perf_counter()
    base.execute(f"COPY (SELECT * FROM {source}) TO '{out}' (FORMAT parquet, COMPRESSION {codec}{level})")
    return time.perf_counter() - start

def run_polars():
    import polars as pl
    schema = shapes.polars_schema(shape)
    start = time.perf_counter()
    frame = pl.scan_csv(glob, schema=schema) if shapes.suffix(shape) == "csv" else pl.scan_ndjson(glob, schema=schema)
    # The sink of Polars takes the level with the codec.
    frame.sink_parquet(out, compression=codec, compression_level=3 if codec == "zstd" else None)
    return time.perf_counter() - start

print(f"{ {'duckdb': run_duckdb, 'polars': run_polars}[name]():.6f}")
os._exit(0)  # Their threads may take their time to end.

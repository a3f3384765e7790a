#!/bin/sh
# parquet_crosscheck.t -- other readers take what the Parquet writer wrote (tests/formats/parquet_crosscheck.py).
#
# PYTHON: a python with pyarrow and duckdb (polars where it is there); without one the test is skipped.
# PARQUET_RANDOM: the tool, if it is built already. INLET_SEEDS: first:count of the random files.
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
if ! "$python" -c 'import pyarrow.parquet, duckdb' 2>/dev/null; then
    echo "1..0 # SKIP $python has no pyarrow and duckdb"
    exit 0
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
tool=$PARQUET_RANDOM
if [ -z "$tool" ]; then
    tool=$folder/parquet_random
    # shellcheck disable=SC2086 # CFLAGS and LIBS are lists.
    ${CC:-gcc} -std=c17 -O1 -I. -D_GNU_SOURCE $CFLAGS -o "$tool" tests/tools/parquet_random.c build/libinlet.a \
        ${LIBS:--llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread} || {
        echo "Bail out! could not build tests/tools/parquet_random.c"
        exit 1
    }
fi
"$python" tests/formats/parquet_crosscheck.py "$tool"

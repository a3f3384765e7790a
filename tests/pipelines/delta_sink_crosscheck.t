#!/bin/sh
# delta_sink_crosscheck.t -- deltalake reads what the Delta sink wrote, and the sink appends to what deltalake
# wrote (tests/formats/delta_sink_crosscheck.py).
#
# PYTHON: a python with deltalake and pyarrow; without one the test is skipped.
# SINK_TOOL: the tool, if it is built already.
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
if ! "$python" -c 'import deltalake, pyarrow' 2>/dev/null; then
    echo "1..0 # SKIP $python has no deltalake and pyarrow"
    exit 0
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
tool=$SINK_TOOL
if [ -z "$tool" ]; then
    tool=$folder/sink_tool
    # shellcheck disable=SC2086 # CFLAGS and LIBS are lists.
    ${CC:-gcc} -std=c17 -O1 -I. -D_GNU_SOURCE $CFLAGS -o "$tool" tests/tools/sink_tool.c build/libinlet.a \
        ${LIBS:--llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread} || {
        echo "Bail out! could not build tests/tools/sink_tool.c"
        exit 1
    }
fi
"$python" tests/formats/delta_sink_crosscheck.py "$tool"

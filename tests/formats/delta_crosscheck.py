#!/usr/bin/env python3
# tool: delta_tool
"""Delta logs written by deltalake, replayed by inlet; and logs written by inlet, read by deltalake.

usage: delta_crosscheck.py TOOL    (TOOL: tests/tools/delta_tool, built)
"""
import datetime, json, os, random, subprocess, sys, tempfile, urllib.parse

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

TOOL = sys.argv[1]


def run(*arguments, stdin=None, fails=False):
    done = subprocess.run([TOOL, *map(str, arguments)], input=stdin, capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        raise SystemExit(f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr if fails else done.stdout


def snapshot(path, *version):
    return json.loads(run("snapshot", path, *version))


def same_files(path, what):
    table = deltalake.DeltaTable(path)
    state = snapshot(path)
    assert state["version"] == table.version(), (what, state["version"], table.version())
    mine = sorted(os.path.join(path, add["file"]) for add in state["adds"])
    theirs = sorted(urllib.parse.unquote(uri) if uri.startswith("file:") else uri for uri in table.file_uris())
    assert mine == theirs, (what, mine[:3], theirs[:3])
    for name in mine: assert os.path.exists(name), name
    return state


def written_by_deltalake(folder):
    path = os.path.join(folder, "theirs")
    for i in range(14):
        rows = pa.table({"id": [i, i + 100], "k": ["a b/c%d", None if i % 3 else ""], "d": [datetime.date(2024, 1, 1 + i)] * 2,
                         "t": pa.array([datetime.datetime(2024, 1, 1, 1, 2, 3, i)] * 2, pa.timestamp("us", "UTC"))})
        deltalake.write_deltalake(path, rows, mode="append", partition_by=["k", "d"],
                                  commit_properties=deltalake.CommitProperties(app_transactions=[deltalake.Transaction("app", i)]))
        state = same_files(path, f"append {i}")
        assert state["txns"] == {"app": i} and state["readable"] and state["writable"], state
        assert all(add["values"][0] in ("a b/c%d", None) for add in state["adds"])
    table = deltalake.DeltaTable(path)
    table.create_checkpoint()
    assert same_files(path, "checkpoint")["checkpoint"] == 13
    table.delete("id < 5")
    same_files(path, "delete")
    deltalake.write_deltalake(path, pa.table({"id": [1], "extra": ["x"]}), mode="append", schema_mode="merge")
    state = same_files(path, "merge schema")
    assert [field["name"] for field in state["schema"]["fields"]][-1] == "extra", state["schema"]
    assert snapshot(path, 3)["version"] == 3
    history = json.loads(run("history", path))
    theirs = deltalake.DeltaTable(path).history()
    assert [entry["version"] for entry in history] == [entry["version"] for entry in theirs]
    assert [entry["operation"] for entry in history] == [entry["operation"] for entry in theirs]

    # The hint is only a hint; a damaged checkpoint falls back to the commits.
    log = os.path.join(path, "_delta_log")
    for text in ("", "{", '{"version":7}', '{"version":99,"size":1}'):
        with open(os.path.join(log, "_last_checkpoint"), "w") as file: file.write(text)
        assert snapshot(path)["checkpoint"] == 13
    checkpoint = os.path.join(log, f"{13:020}.checkpoint.parquet")
    whole = open(checkpoint, "rb").read()
    with open(checkpoint, "wb") as file: file.write(whole[:200])
    assert len(snapshot(path)["adds"]) == len(state["adds"]) and snapshot(path)["checkpoint"] == -1
    with open(checkpoint, "wb") as file: file.write(whole)

    # A gap is an error, but not below a checkpoint; a cut commit is one too.
    os.rename(os.path.join(log, f"{5:020}.json"), os.path.join(log, "away"))
    assert len(snapshot(path)["adds"]) == len(state["adds"])
    os.rename(checkpoint, checkpoint + ".away")
    assert "DELTA_TRUNCATED_TRANSACTION_LOG" in run("snapshot", path, fails=True)
    os.rename(checkpoint + ".away", checkpoint)
    last = os.path.join(log, f"{state['version']:020}.json")
    whole = open(last).read()
    for text in (whole[:-20], "", "not json\n"):
        with open(last, "w") as file: file.write(text)
        answer = run("snapshot", path, fails=True)
        assert "DELTA_TRUNCATED_TRANSACTION_LOG" in answer, answer


def field(name, kind, nullable=True):
    return {"name": name, "type": kind, "nullable": nullable, "metadata": {}}


def lines(*actions):
    return "".join(json.dumps(action) + "\n" for action in actions)


def written_by_inlet(folder):
    path = os.path.join(folder, "ours")
    os.makedirs(path)
    schema = {"type": "struct", "fields": [field("id", "long"), field("p", "string")]}
    total = 0
    for version in range(25):
        actions = [{"commitInfo": {"timestamp": 1700000000000 + version, "operation": "STREAMING UPDATE", "engineInfo": "inlet/0.1"}}]
        if version == 0:
            actions.append({"metaData": {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}},
                                         "schemaString": json.dumps(schema), "partitionColumns": ["p"], "configuration": {"x.y": "z"}, "createdTime": 1700000000000}})
            actions.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
        name = f"p=v%25{version % 3}/part-{version}.parquet"
        os.makedirs(os.path.join(path, os.path.dirname(name)), exist_ok=True)
        pq.write_table(pa.table({"id": list(range(version))}), os.path.join(path, name))
        actions.append({"txn": {"appId": "q", "version": version, "lastUpdated": 1700000000000}})
        actions.append({"add": {"path": urllib.parse.quote(name), "partitionValues": {"p": f"v%{version % 3}"}, "size": os.path.getsize(os.path.join(path, name)),
                                "modificationTime": 1700000000000, "dataChange": True, "stats": json.dumps({"numRecords": version})}})
        if version == 20:
            actions.append({"remove": {"path": urllib.parse.quote("p=v%251/part-1.parquet"), "deletionTimestamp": 4000000000000, "dataChange": True,
                                       "extendedFileMetadata": True, "partitionValues": {"p": "v%1"}, "size": 5}})
            total -= 1
        total += version
        assert run("commit", path, version, stdin=lines(*actions)).strip() == "done"
        assert run("commit", path, version, stdin=lines(*actions)).strip() == "existed"
        if version in (10, 20):
            run("checkpoint", path)
        table = deltalake.DeltaTable(path)
        assert table.version() == version and table.to_pyarrow_table().num_rows == total, (version, table.to_pyarrow_table().num_rows, total)
        assert same_files(path, f"ours {version}")["txns"] == {"q": version}
    assert "does not exist" in run("commit", path, 99, stdin='{"a":1}\n', fails=True)

    # Only checkpoint and newer commits: the checkpoint holds everything.
    log = os.path.join(path, "_delta_log")
    for version in range(20): os.unlink(os.path.join(log, f"{version:020}.json"))
    table = deltalake.DeltaTable(path)
    assert table.to_pyarrow_table().num_rows == total and table.metadata().partition_columns == ["p"]
    assert table.metadata().configuration == {"x.y": "z"}
    state = snapshot(path)
    assert state["removes"] == 1 and state["checkpoint"] == 20
    # DuckDB and pyarrow read the checkpoint file itself.
    rows = pq.read_table(os.path.join(log, f"{20:020}.checkpoint.parquet")).to_pylist()
    assert all(sum(value is not None for value in row.values()) == 1 for row in rows)
    assert sum(row["add"] is not None for row in rows) == 20 and sum(row["protocol"] is not None for row in rows) == 1
    removed = [row["remove"] for row in rows if row["remove"]][0]
    assert removed["size"] == 5 and removed["extendedFileMetadata"] and dict(removed["partitionValues"]) == {"p": "v%1"}, removed


def refusals(folder):
    def table(name, protocol, configuration=None, metadata=None):
        path = os.path.join(folder, name)
        schema = {"type": "struct", "fields": [dict(field("id", "long"), metadata=metadata or {})]}
        run("commit", path, 0, stdin=lines({"protocol": protocol}, {"metaData": {
            "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps(schema),
            "partitionColumns": [], "configuration": configuration or {}, "createdTime": 1}}))
        state = snapshot(path)
        return state["readable"], state["writable"]

    def features(readers, writers):
        return {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers}

    def old(reader, writer):
        return {"minReaderVersion": reader, "minWriterVersion": writer}

    assert table("a", old(1, 1)) == (True, True)
    assert table("b", old(1, 4)) == (True, True)
    assert table("c", old(1, 3), {"delta.constraints.x": "id > 0"}) == (True, False)
    assert table("d", old(1, 4), {"delta.enableChangeDataFeed": "true"}) == (True, False)
    assert table("e", old(1, 4), metadata={"delta.generationExpression": "1"}) == (True, False)
    assert table("f", old(1, 2), metadata={"delta.invariants": "{}"}) == (True, False)
    assert table("g", old(2, 5)) == (True, False)
    assert table("h", old(2, 5), {"delta.columnMapping.mode": "name"}) == (False, False)
    assert table("i", features([], ["appendOnly", "invariants"])) == (True, True)
    assert table("j", features(["timestampNtz"], ["timestampNtz"])) == (True, True)
    assert table("k", features(["deletionVectors"], ["deletionVectors"])) == (False, False)
    assert table("l", features([], ["somethingNew"])) == (True, False)
    assert table("m", old(4, 7)) == (False, False)


def damage(folder, rounds):
    """Changed and cut log files: an answer or an error, never a crash."""
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    log = os.path.join(folder, "ours", "_delta_log")
    for name in (f"{20:020}.checkpoint.parquet", f"{22:020}.json"):
        path = os.path.join(log, name)
        whole = open(path, "rb").read()
        for i in range(rounds):
            changed = bytearray(whole)
            for _ in range(rng.choice([1, 2, 8])): changed[rng.randrange(len(changed))] = rng.choice(b'\0\xff{}[]":,0x\\\n')
            if i % 8 == 0: changed = changed[:rng.randrange(len(changed))]
            with open(path, "wb") as file: file.write(changed)
            done = subprocess.run([TOOL, "snapshot", os.path.join(folder, "ours")], capture_output=True, timeout=60)
            assert done.returncode in (0, 1), (seed, name, done.stderr.decode(errors="replace"))
        with open(path, "wb") as file: file.write(whole)


PARTS = [("inlet replays what deltalake wrote", written_by_deltalake), ("deltalake reads what inlet wrote", written_by_inlet),
         ("what cannot be read is refused by name", refusals), ("a damaged log is an error, never a crash", lambda folder: damage(folder, 100))]
print(f"1..{len(PARTS)}")
with tempfile.TemporaryDirectory() as folder:
    for number, (title, part) in enumerate(PARTS, 1):
        part(folder)
        print(f"ok {number} - {title}", flush=True)

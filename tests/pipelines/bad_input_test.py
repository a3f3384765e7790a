"""Inputs, folders and checkpoints as they should not be: each gives its own clear error or a counted bad record; nothing is lost or half-visible."""
import bz2, gzip, json, os, shutil, signal, subprocess, time
from lib import *

GOOD = '{"a":1,"b":"x"}\n'
BAD = '{"a":nonsense}\n'

def state_of(path, *words):
    """The row of one file, by the end of its path."""
    found = [f for f in files(*words) if f["path"].endswith(path)]
    assert len(found) == 1, (path, files(*words))
    return found[0]

def ids(path="out", fmt="parquet"):
    return sorted(r["a"] for r in rows(path, fmt) if r["a"] is not None)

def visible(path="out"):
    """Names in the sink that a reader would take for data."""
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [f for f in folders if f[0] not in "._"]
        found += [n for n in names if n[0] not in "._"]
    return found

def plan_and_fail(*good, reader=None, **more):
    """A batch that is planned and has failed: a FAILFAST pipeline, good files and one bad record in z.json."""
    pipeline(reader={**(reader or {}), "mode": "FAILFAST"}, **more)
    for i, name in enumerate(good):
        land("landing/" + name, '{"a":%d,"b":"x"}\n' % i)
    land("landing/z.json", BAD)
    failed = once(code=1)
    has(failed.err, "MALFORMED_RECORD_IN_PARSING", "z.json")
    equal(visible(), [], "nothing of the failing batch is visible")
    equal({f["state"] for f in files()}, {"planned"}, "states")
    pipeline(reader=reader, **more)

def sparse_line(path, size, before=b'{"a":7,"b":"', after=b'"}\n' + GOOD.encode()):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(before)
        f.seek(size)
        f.write(after)

# --- Files that cannot be read, went away or changed --------------------------------------------------------------

@test
def settings_of_a_planned_batch():
    """A planned batch runs again with the time zone and case sensitivity now in force, and says so"""
    def run(code, zone=None, case=None, tz="UTC", mode="FAILFAST"):
        conf = {**({"spark.sql.session.timeZone": zone} if zone else {}), **({"spark.sql.caseSensitive": case} if case else {})}
        pipeline(schema="a BIGINT, t TIMESTAMP", reader={"mode": mode}, conf=conf, sink="json")
        return once(code=code, env={"TZ": tz})
    land("landing/a.json", '{"a": 1, "t": "2026-07-01 12:00:00"}\n')
    land("landing/z.json", BAD)
    run(1, zone="UTC")
    assert "batch.settings" not in run(1, zone="UTC").err
    has(run(1, zone="Asia/Tokyo").err, "batch.settings", "UTC", "Asia/Tokyo")
    assert "batch.settings" not in run(1, zone="Asia/Tokyo").err, "the plan has the new ones"
    has(run(1, zone="Asia/Tokyo", case="true").err, "batch.settings", '"spark.sql.caseSensitive":true')
    equal({f["state"] for f in files()}, {"planned"})
    has(run(0, tz="America/New_York", mode="PERMISSIVE").err, "batch.settings", "New_York")  # The system's zone, and the default of the case.
    equal([r for r in rows("out", "json") if r.get("a") == 1], [{"a": 1, "t": "2026-07-01T12:00:00.000-04:00"}])

@test
def many_small_files():
    """A first batch without a limit takes little memory for each of its files"""
    pipeline()
    write("landing/f0.json", GOOD)
    for i in range(1, 50000):
        os.link("landing/f0.json", f"landing/f{i}.json")
    measured("once", "p.yaml", limit=50 << 20)
    equal(len(rows("out")), 50000)

@test
def unreadable():
    """A file without read permission is failed with its reason, the others are loaded, exit 3"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to become somebody else")
    pipeline()
    land("landing/a.json", GOOD)
    land("landing/b.json", GOOD)
    os.chmod("landing/b.json", 0)
    os.chmod(".", 0o777)
    os.chmod("landing", 0o777)
    os.utime("landing/b.json", (1, 1))
    time.sleep(2.1)  # No lease for a stranger: the clock decides.
    def stranger(*words):
        p = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", INLET, *words], capture_output=True, text=True, env={**os.environ, "HOME": "/"})
        return Result(p.returncode, p.stdout, p.stderr)
    result = stranger("once", "p.yaml")
    equal(result.code, 3, repr(result))
    equal(ids(), [1])
    row = state_of("b.json")
    equal(row["state"], "failed")
    has(row["reason"], "INLET_PERMISSION_DENIED")
    has(stranger("why", "landing/b.json", "p.yaml").out, "INLET_PERMISSION_DENIED")
    equal(stranger("once", "p.yaml").code, 3, "it stays on the list")

@test
def unreadable_folder():
    """A folder that cannot be listed is said, the others are loaded"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to become somebody else")
    pipeline(load="landing/*")
    land("landing/open/a.json", GOOD)
    land("landing/shut/b.json", GOOD)
    os.chmod("landing/shut", 0)
    os.chmod(".", 0o777)
    p = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", INLET, "once", "p.yaml"], capture_output=True, text=True)
    equal(p.returncode, 0, p.stderr)
    has(p.stderr, "shut")
    equal(ids(), [1])
    os.chmod("landing/shut", 0o755)
    p = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", INLET, "once", "p.yaml"], capture_output=True, text=True)
    equal(p.returncode, 0, p.stderr)
    equal(ids(), [1, 1], "once it can be listed, nothing was forgotten")

@test
def vanished():
    """A file that went away between plan and read leaves the plan as vanished; the batch goes on"""
    plan_and_fail("a.json", "b.json")
    os.unlink("landing/a.json")
    result = once()
    equal(result.summary["vanished_files"], 1)
    equal(ids(), [1])
    equal(state_of("a.json")["state"], "vanished")
    equal(state_of("z.json")["bad_records"], 1)
    land("landing/a.json", '{"a":5}\n')
    once()
    equal(ids(), [1, 5], "one that comes back is loaded")

@test
def all_vanished():
    """A plan whose files all went away is given up, and the next batch has its number"""
    plan_and_fail("a.json")
    for name in os.listdir("landing"):
        os.unlink("landing/" + name)
    equal(once().summary["batches"], 0)
    land("landing/n.json", '{"a":9}\n')
    equal(once().summary["last_batch_id"], 0)
    equal(ids(), [9])

@test
def changed():
    """Files that grew, shrank, or were replaced between plan and read are taken as they are now, once"""
    plan_and_fail("grow.json", "shrink.json", "swap.json", "empty.json")
    with open("landing/grow.json", "a") as f:
        f.write('{"a":10}\n')
    write("landing/shrink.json", '{"a":3}\n')
    land("landing/swap.json", '{"a":4,"b":"y"}\n')
    write("landing/empty.json", "")
    once()
    once()
    equal(ids(), [0, 3, 4, 10])
    equal(state_of("empty.json")["state"], "unsettled")
    has(state_of("empty.json")["reason"], "empty")
    assert os.path.exists("landing/z.json")

@test
def grows_while_read():
    """A file that grows while it is read is read again in full; no record twice, none lost"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    line = '{"a":1,"b":"' + "x" * 90 + '"}\n'
    write("landing/big.json", line * 1500000)
    os.utime("landing/big.json", (1000, 1000))
    with service() as p:
        deadline = time.time() + 20
        while time.time() < deadline and not (os.path.exists("ck/ledger") and "planned" in inlet("files", "p.yaml").out):
            time.sleep(0.005)
        with open("landing/big.json", "a") as f:
            f.write(line)
        time.sleep(0.3)
        p.send_signal(signal.SIGTERM)
        p.wait(30)
        equal(p.returncode, 0)
    once()
    row = state_of("big.json")
    equal(row["state"], "committed")
    equal(len(rows()), row["rows"])
    assert row["rows"] in (1500000, 1500001), row  # It may have been done before it grew.
    equal(row["size"], row["rows"] * len(line), "what was read is what is written down")

@test
def unsettled_writer():
    """A file that somebody holds open for writing is not taken, and comes whole when it is closed"""
    pipeline()
    with open("landing/a.json", "w") as f:
        f.write('{"a":1}\n{"a"')
        f.flush()
        result = once()
        equal(result.summary["unsettled_files"], 1)
        has(state_of("a.json")["reason"], "open for writing")
        f.write(':2}\n')
    once()
    equal(ids(), [1, 2])

# --- Damaged content -----------------------------------------------------------------------------------------------

def truncated(name, data):
    pipeline()
    land("landing/a.json", '{"a":0}\n')
    write("landing/" + name, data)
    failed = once(code=1)
    has(failed.err, name)
    equal(visible(), [], "nothing of the batch is visible")
    equal({f["state"] for f in files()}, {"planned"})
    return failed

def many(count):
    return "".join('{"a":%d,"b":"%d"}\n' % (i, i * i * 7919 % 100003) for i in range(count)).encode()

@test
def truncated_gzip():
    """A truncated gzip fails its batch, which stays planned; ignoreCorruptFiles keeps the rows before the damage"""
    whole = gzip.compress(many(200000))
    truncated("t.json.gz", whole[:len(whole) // 2])
    once(code=1)
    pipeline(reader={"ignoreCorruptFiles": "true"})
    once()
    got = ids()
    assert 1000 < len(got) < 200000, len(got)
    row = state_of("t.json.gz")
    equal(row["ingestion_state"], "SKIPPED_CORRUPTED")
    equal(row["rows"], len(got) - 1)
    equal(sorted(set(got)), list(range(row["rows"])) , "whole records only, from the start")

@test
def repaired_gzip():
    """A truncated gzip that is replaced by a whole one is loaded by the same plan's successor, once"""
    whole = gzip.compress(many(2000))
    truncated("t.json.gz", whole[:len(whole) - 100])
    land("landing/t.json.gz", whole)
    once()
    equal(ids(), sorted([0, *range(2000)]))

@test
def damaged_codecs():
    """Garbage, damaged checksums and cut trailers of gzip, bzip2 and zstd fail the batch, never the program"""
    import pyarrow as pa
    text = many(20000)
    for name, data in [("g.json.gz", gzip.compress(text)), ("b.json.bz2", bz2.compress(text)), ("z.json.zst", bytes(pa.compress(text, "zstd", asbytes=True)))]:
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 0x55
        for what, bad in [("garbage", b"this is no compressed file, by any means"), ("flipped", bytes(flipped)), ("cut", data[:-3]), ("head", data[:5])]:
            folder = f"{name}.{what}"
            os.makedirs(folder)
            os.chdir(folder)
            pipeline()
            write("landing/" + name, bad)
            result = inlet("once", "p.yaml")
            equal((result.code, visible()), (1, []), f"{folder}: {result}")
            has(result.err, name)
            pipeline(reader={"ignoreCorruptFiles": "true"})
            result = inlet("once", "p.yaml")
            equal(result.code, 0, f"{folder}: {result}")
            if what != "flipped":  # What a flipped bit made of the bytes behind it shows at the checksum only.
                equal(ids(), list(range(len(ids()))), f"{folder}: rows before the damage are whole")
            os.chdir("..")

@test
def empty_file():
    """A young empty file waits, an old one is committed as empty"""
    pipeline()
    write("landing/young.json", "")
    write("landing/old.json", "")
    os.utime("landing/old.json", (1000000, 1000000))
    write("landing/blank.json", "\n\n  \n")
    started = time.time()
    once()
    assert time.time() - started < 4, "a young empty file is not waited for"
    equal(state_of("young.json")["state"], "unsettled")
    old = state_of("old.json")
    equal((old["state"], old["ingestion_state"], old["rows"]), ("committed", "EMPTY", 0))
    has(inlet("files", "p.yaml").out, "[empty]")
    equal(state_of("blank.json")["state"], "committed")
    equal(rows(), [])
    write("landing/young.json", GOOD)
    once()
    equal(ids(), [1])

@test
def odd_bytes():
    """NUL bytes, invalid UTF-8, deep nesting and lone surrogates are bad records or text, the records around them stay"""
    pipeline(schema="a BIGINT, b STRING, c STRING")
    odd = [b'{"a":1,"b":"n\\u0000l"}', b'\0\0\0', b'{"a":2,"b":"x\0y"}', b'{"a":3,"b":"\xff\xfe"}', b"\xff\xff\xff", b'{"a":4,"c":' + b"[" * 100000 + b"]" * 100000 + b"}",
           b"[" * 100000, b'{"a":' * 100000, b'{"a":5,"b":"\\ud800"}', b'{"a":6', b"\xef\xbb\xbf", b'{"a":123456789012345678901234567890}', b"}", b"]]]", b'"', b"\\", b'{"a":8,"b":"' + b"\\" * 99999]
    write("landing/odd.json", b"".join(line + b"\n" + b'{"a":100}\n' for line in odd))
    result = once()
    got = [r["a"] for r in rows()]
    equal(got.count(100), len(odd), "the good records")
    assert {1, 5} <= set(got), got
    assert result.summary["bad_records"] >= 8, result.summary
    row = state_of("odd.json")
    equal(row["records"], row["rows"])
    for fmt, schema in [("csv", "a STRING, b STRING"), ("text", "value STRING")]:
        pipeline("q.yaml", fmt=fmt, schema=schema, start="out_" + fmt, checkpoint="ck_" + fmt)
        assert once("q.yaml").summary["rows"] >= 2 * len(odd) - 2, fmt

@test
def bytes_kept_in_parquet():
    """Kept text that is no UTF-8 does not make Parquet and Delta outputs unreadable: bad parts become U+FFFD, the rest stays"""
    import duckdb
    lines = [b'{"a":1}', b'{"a":2,"b":"\xff\xfe"}', '{"a":"é"}'.encode(), b"\xc3", b"\xa9", b"", b'{"a":3,"c":"\xe9t\xe9"}', b'{"a":4}']
    text = b"\n".join(lines) + b"\n"
    land("landing/a.json", text)
    bad = [line.decode("utf-8", "replace") for line in (lines[1], lines[2], lines[3], lines[4], lines[6])]
    for query in (None, "SELECT _corrupt_record, a, _corrupt_record AS again FROM input"):
        for sink in ("parquet", "delta"):
            out = sink + ("_q" if query else "")
            pipeline(sink=sink, schema="a BIGINT, b STRING, _corrupt_record STRING", query=query, start=out, checkpoint="ck_" + out)
            once()
            got = rows(out, sink)
            equal([r["_corrupt_record"] for r in got if r["_corrupt_record"] is not None], bad)
            equal([r["a"] for r in got], [1, None, None, None, None, None, 4])
            equal(duckdb.sql(f"SELECT count(_corrupt_record) FROM read_parquet('{out}/*.parquet')").fetchall(), [(5,)])
    os.makedirs("texts")
    land("texts/a.txt", text)
    pipeline(fmt="text", schema=None, load="texts", start="out_text", checkpoint="ck_text", query="SELECT value, value AS twice FROM input")
    once()
    equal([(r["value"], r["twice"]) for r in rows("out_text")], [(line.decode("utf-8", "replace"),) * 2 for line in lines])
    pipeline(fmt="text", schema=None, load="texts", sink="text", start="out_same", checkpoint="ck_same")
    once()
    equal(b"".join(open(f, "rb").read() for f in sink_files("out_same")), text, "text to text keeps the bytes")

@test
def deep_multiline():
    """Nesting of 100,000 brackets in a multiLine document is one bad record"""
    pipeline(reader={"multiLine": "true"})
    land("landing/deep.json", '{"a":1,"b":' + "[" * 100000 + "]" * 100000 + "}")
    land("landing/open.json", "[" * 100000)
    land("landing/good.json", GOOD)
    once()
    assert 1 in ids()

@test
def long_line():
    """A line of 100 MB is one bad record, in bounded memory; the next line is read"""
    pipeline()
    sparse_line("landing/long.json", 100 << 20)
    result = measured("once", "p.yaml")
    equal(ids(), [1])
    equal(result.summary["bad_records"], 1)
    equal(result.summary["rows"], 2)

@test
def longest_line():
    """A line of 1 GB is one bad record of JSON and CSV and an error of text, plain and gzipped, in bounded memory"""
    sparse_line("landing/long.json", 1 << 30)
    pipeline()
    result = measured("once", "p.yaml")
    equal((result.summary["rows"], result.summary["bad_records"], ids()), (2, 1, [1]))
    os.unlink("landing/long.json")
    sparse_line("landing/long.csv", 1 << 30, b"7,", b"\n1,x\n")
    pipeline("c.yaml", fmt="csv", start="out_csv", checkpoint="ck_csv")
    result = measured("once", "c.yaml")
    assert 1 in ids("out_csv"), ids("out_csv")
    equal(result.summary["bad_records"], 1, "csv")
    pipeline("t.yaml", fmt="text", schema="value STRING", start="out_text", checkpoint="ck_text")
    has(measured("once", "t.yaml", code=1).err, "FAILED_READ_FILE", "longer than 64 MiB", "long.csv")
    os.unlink("landing/long.csv")
    with open("landing/long.json.gz", "wb") as f:  # Members of zeros, many times the same.
        f.write(gzip.compress(b'{"a":7,"b":"') + gzip.compress(b"\0" * (16 << 20)) * 64 + gzip.compress(b'"}\n' + GOOD.encode()))
    pipeline("g.yaml", start="out_gz", checkpoint="ck_gz")
    result = measured("once", "g.yaml")
    equal((result.summary["bad_records"], ids("out_gz")), (1, [1]))

# --- Odd names and kinds of files -------------------------------------------------------------------------------------

@test
def odd_kinds():
    """Folders named like files, fifos, sockets, dangling links and link loops are passed by; none hangs the run"""
    import socket
    pipeline(reader={"recursiveFileLookup": "true"})
    land("landing/good.json", GOOD)
    os.makedirs("landing/folder.json")
    land("landing/folder.json/inner.json", '{"a":2}\n')
    os.mkfifo("landing/pipe.json")
    os.symlink("nowhere", "landing/dangling.json")
    os.symlink("loop.json", "landing/loop.json")
    os.symlink(".", "landing/again")
    os.symlink("../landing", "landing/folder.json/up")
    s = socket.socket(socket.AF_UNIX)
    s.bind("landing/socket.json")
    os.symlink("/dev/zero", "landing/zero.json")
    result = once(timeout=20)
    got = ids()
    assert sorted(set(got)) == [1, 2], got
    equal(got, [1, 2], "each file once, whatever links lead to it")
    assert result.summary["failed_files"] == 0

@test
def fifo_of_service():
    """A fifo that appears beside a running service does not hang it"""
    pipeline()
    with service() as p:
        land("landing/a.json", GOOD)
        os.mkfifo("landing/pipe.json")
        deadline = time.time() + 10
        while time.time() < deadline and not (os.path.exists("out/_spark_metadata/0")):
            time.sleep(0.02)
        p.send_signal(signal.SIGTERM)
        equal(p.wait(10), 0)
    equal(ids(), [1])

@test
def odd_names():
    """Names with newlines, percent signs, quotes, spaces, invalid UTF-8 and 255 bytes are loaded, listed and archived"""
    names = [b"new\nline.json", b"per%20cent%.json", b"quo'te\".json", b" space .json", b"\xff\xfe.json", b"x" * 250 + b".json", "ümläut✓.json".encode(),
             b"back\\slash.json", b"a{b,c}[d]*?.json", b"tab\there.json", b"#hash?query=1.json", b"col:on.json", b"\x1b[31mred.json", b"-dash.json", b"a=b.json"]
    pipeline(reader={"cleanSource": "archive", "sourceArchiveDir": "archive"}, query="SELECT a, _metadata.file_name AS n, _metadata.file_path AS p FROM input")
    for i, name in enumerate(names):
        write(b"landing/" + name, '{"a":%d}\n' % i)
    result = once()
    equal(ids(), list(range(len(names))))
    listed = files()
    equal(len(listed), len(names))
    equal({f["state"] for f in listed}, {"committed"})
    by_id = {r["a"]: r["n"] for r in rows()}
    equal(by_id[0], "new%0Aline.json")  # As in Spark: the end of the URI.
    equal(os.listdir(b"landing"), [], "left")
    archived = {n for _, _, found in os.walk(b"archive") for n in found}
    equal(archived, set(names), "archived")
    text = inlet("files", "p.yaml").out
    equal(len(text.strip().split("\n")), len(names) + 1, "one line a file, whatever its name")
    assert "\x1b" not in text, "no escape reaches the terminal"
    has(inlet("why", "landing/new\nline.json", "p.yaml").out, "batch 0")
    equal(once().summary["files"], 0)

# --- Sinks that cannot be written ---------------------------------------------------------------------------------------

@test
def sink_not_writable():
    """A sink folder without write permission is exit 1 with its name, and works once it may be written"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to become somebody else")
    pipeline()
    land("landing/a.json", GOOD)
    time.sleep(2.1)
    os.chmod(".", 0o777)
    os.makedirs("out")
    words = ["setpriv", "--reuid=65534", "--clear-groups", INLET, "once", "p.yaml"]
    p = subprocess.run(words, capture_output=True, text=True)
    equal(p.returncode, 1, p.stderr)
    has(p.stderr, "INLET_PERMISSION_DENIED", "/out")
    os.chmod("out", 0o777)
    p = subprocess.run(words, capture_output=True, text=True)
    equal(p.returncode, 0, p.stderr)
    equal(ids(), [1])

@test
def sink_is_a_file():
    """A sink path, or a checkpoint path, that is a file is refused with its name"""
    for sink in ("parquet", "delta"):
        pipeline(sink=sink, checkpoint="ck_" + sink)
        land("landing/a.json", GOOD)
        write("out", "I am a file")
        result = inlet("once", "p.yaml")
        assert result.code in (1, 78), result
        has(result.err, "/out")
        equal(open("out").read(), "I am a file")
    write("ck", "me too")
    pipeline(start="out2")
    result = inlet("once", "p.yaml")
    assert result.code in (1, 78), result
    has(result.err, "/ck")

@contextlib.contextmanager
def small_disk(path, size):
    os.makedirs(path, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], capture_output=True).returncode:
        raise Skip("needs a right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path])

def noise(count):
    return "".join(json.dumps({"a": i, "b": os.urandom(60).hex()}) + "\n" for i in range(count))

@test
def disk_full():
    """A full disk under the sink is exit 5, nothing half-visible; it goes on where it was once there is space"""
    for sink in ("parquet", "json", "delta"):
        with small_disk("disk", "2m"):
            pipeline(sink=sink, start="disk/out", checkpoint="ck_" + sink, reader={"maxFilesPerTrigger": "1"})
            land("landing/0.json", '{"a":-1,"b":"first"}\n')
            time.sleep(0.01)
            land("landing/1.json", noise(40000))
            os.utime("landing/0.json", (1000, 1000))
            failed = once(code=5)
            has(failed.err, "INLET_DISK_FULL")
            equal(ids("disk/out", sink), [-1], sink)
            equal(once(code=5).summary["batches"], 0)
            subprocess.run(["mount", "-o", "remount,size=64m", "disk"], check=True)
            once()
            equal(ids("disk/out", sink), list(range(-1, 40000)), sink)

@test
def disk_full_checkpoint():
    """A full disk under the checkpoint is exit 5 and loses nothing"""
    with small_disk("disk", "256k"):
        pipeline(checkpoint="disk/ck")
        for i in range(3000):
            write(f"landing/{'long name ' * 8}{i:05}.json", '{"a":%d}\n' % i)
        failed = inlet("once", "p.yaml")
        equal(failed.code, 5, repr(failed))
        has(failed.err, "INLET_DISK_FULL")
        subprocess.run(["mount", "-o", "remount,size=64m", "disk"], check=True)
        once()
        equal(ids(), list(range(3000)))

@test
def disk_full_service():
    """A service waits for space on a full disk and goes on by itself"""
    with small_disk("disk", "1m"):
        pipeline(start="disk/out")
        land("landing/1.json", noise(20000))
        once(code=5)  # A service also waits with the batch that it finds planned.
        with service() as p:
            time.sleep(2)
            assert p.poll() is None, p.communicate()
            subprocess.run(["mount", "-o", "remount,size=64m", "disk"], check=True)
            deadline = time.time() + 20
            while time.time() < deadline and not os.path.exists("disk/out/_spark_metadata/0"):
                time.sleep(0.05)
            p.send_signal(signal.SIGTERM)
            err = p.communicate(timeout=20)[1].decode()
            equal(p.returncode, 0)
            assert 1 <= err.count("INLET_DISK_FULL") <= 3, err[:3000]  # It waits between its attempts.
        equal(len(ids("disk/out")), 20000)

# --- Checkpoints and sinks of somebody else -------------------------------------------------------------------------------

@test
def checkpoint_of_another():
    """A checkpoint of another query is refused, by sink and by kind of source; nothing is written"""
    pipeline()
    land("landing/a.json", GOOD)
    once()
    write("other/keep.txt", "mine")
    for more in ({"start": "other"}, {"sink": "json", "start": "other"}, {"sink": "delta"}, {"fmt": "cloudFiles", "reader": {"cloudFiles.format": "json"}}):
        pipeline("q.yaml", **more)
        result = inlet("once", "q.yaml")
        equal(result.code, 78, repr((more, result)))
        has(result.err, "INLET_CHECKPOINT_MISMATCH")
    equal(os.listdir("other"), ["keep.txt"])
    equal(ids(), [1])

@test
def checkpoint_of_another_query():
    """Two pipelines that share a checkpoint by mistake: the second is refused, though its output is new; nothing is lost"""
    pipeline()
    land("landing/a.json", GOOD)
    once()
    os.makedirs("elsewhere")
    for more in ({"name": "q.yaml", "start": "out2"}, {"load": "elsewhere", "start": "out2"}, {"start": "out2", "sink": "delta", "extra": {"name": "other"}}):
        pipeline(**{"name": "p.yaml", **more})
        result = inlet("once", more.get("name", "p.yaml"))
        equal(result.code, 78, repr((more, result)))
        has(result.err, "[INLET_CHECKPOINT_MISMATCH]", "another query: 'p'", "/out", more.get("name", "p.yaml"))
    assert not os.path.exists("out2")
    for more in ({"extra": {"name": "other"}}, {"load": "elsewhere", "extra": {"name": "other"}}, {"load": ["elsewhere", "landing"], "extra": {"name": "other"}},
                 {"load": "landing", "start": "out2", "extra": {"name": "other"}}):  # One after the other a query may change it all.
        pipeline(**more)
        once()
    land("landing/b.json", GOOD)
    once()
    equal([len(rows(p)) for p in ("out", "out2")], [1, 1])

@test
def other_partitions():
    """partitionBy of a file sink cannot change once rows are there: no reader takes a folder of two layouts; a new output may have another"""
    pipeline(trigger={"availableNow": True})
    once()
    pipeline(partition_by="b")  # Nothing is there yet.
    land("landing/a.json", GOOD)
    once()
    for change in (None, ["b", "a"]):
        pipeline(partition_by=change)
        has(once(code=78).err, "[INLET_CHECKPOINT_MISMATCH]", "partitionBy 'b'", "p.yaml")
    land("landing/b.json", GOOD)
    pipeline(start="out2")
    once()
    pipeline(start="out2", partition_by="b")
    once(code=78)
    pipeline(start="out2")
    once()
    equal([len(rows(p)) for p in ("out", "out2")], [1, 1])

@test
def sink_of_another():
    """An output folder whose log is another query's is refused, not appended to and not trusted"""
    pipeline()
    land("landing/a.json", GOOD)
    once()
    before = {n: open("out/_spark_metadata/" + n).read() for n in os.listdir("out/_spark_metadata")}
    pipeline("q.yaml", checkpoint="ck2")
    result = once("q.yaml", code=1)
    has(result.err, "INLET_SINK_MISMATCH")
    equal({n: open("out/_spark_metadata/" + n).read() for n in os.listdir("out/_spark_metadata")}, before)
    equal(ids(), [1])
    os.makedirs("foreign/_spark_metadata")
    write("foreign/_spark_metadata/0", "v1\n")
    write("foreign/_spark_metadata/1", "v1\n")
    pipeline("r.yaml", checkpoint="ck3", start="foreign")
    has(once("r.yaml", code=1).err, "INLET_SINK_MISMATCH")

@test
def sink_log_lost():
    """A sink log that lost its last entries, or the whole folder, under a living checkpoint is refused"""
    pipeline()
    land("landing/a.json", GOOD)
    once()
    land("landing/b.json", GOOD)
    once()
    os.unlink("out/_spark_metadata/1")
    land("landing/c.json", GOOD)
    has(once(code=1).err, "INLET_SINK_MISMATCH")
    shutil.rmtree("out")
    result = once(code=1)
    has(result.err, "INLET_SINK_MISMATCH")

@test
def table_of_another_schema():
    """A Delta table of another schema is exit 7 and stays as it is"""
    import deltalake, pyarrow as pa
    deltalake.write_deltalake("out", pa.table({"a": ["text"], "x": [1.5]}))
    pipeline(sink="delta")
    land("landing/a.json", GOOD)
    result = once(code=7)
    has(result.err, "DELTA_METADATA_MISMATCH")
    equal(deltalake.DeltaTable("out").version(), 0)
    pipeline(sink="delta", schema="a STRING, x DOUBLE, n INT")
    equal(once(code=7).code, 7)

@test
def ledger_lost():
    """A ledger that is missing, cut, zeroed or garbage under an existing checkpoint is an error, never a start from zero"""
    pipeline()
    land("landing/a.json", GOOD)
    once()
    shutil.copytree("ck", "kept")
    data = "ck/ledger/data.mdb"
    assert os.path.exists(data), os.listdir("ck/ledger")
    size = os.path.getsize(data)
    def missing(): os.unlink(data)
    def no_folder(): shutil.rmtree("ck/ledger")
    def empty(): os.truncate(data, 0)
    def cut(): os.truncate(data, 4096)
    def half(): os.truncate(data, size // 2 // 4096 * 4096)
    def zeros(): write(data, b"\0" * size)
    def garbage(): write(data, os.urandom(size))
    def tail():
        with open(data, "r+b") as f:
            f.seek(8192)
            f.write(os.urandom(size - 8192))
    for damage in (missing, no_folder, empty, cut, half, zeros, garbage, tail):
        shutil.rmtree("ck")
        shutil.copytree("kept", "ck")
        damage()
        for verb in ("once", "status", "files", "plan"):
            result = inlet(verb, "p.yaml")
            if verb == "once":
                assert result.code in (1, 78), (damage.__name__, result)
                has(result.err, "CHECKPOINT")
            assert result.code >= 0
        equal(ids(), [1], damage.__name__)
    shutil.rmtree("ck")
    shutil.copytree("kept", "ck")
    equal(once().summary["files"], 0, "the kept copy still works")

@test
def ledger_cut_under_readers():
    """A ledger that lost its end is told as damage by the verbs that only read it"""
    pipeline(reader={"maxFilesPerTrigger": "10"})
    for i in range(300):
        write(f"landing/{i}.json", GOOD)
    once()
    size = os.path.getsize("ck/ledger/data.mdb")
    for keep in (4, 8, 16, 32):
        os.truncate("ck/ledger/data.mdb", size // 4096 * keep // 64 * 4096)
        for verb in ("status", "files", "history", "plan"):
            result = inlet(verb, "p.yaml")
            if result.code:
                equal(result.code, 1, repr(result))
                has(result.err, "INLET_CHECKPOINT_DAMAGED")
        has(once(code=1).err, "DAMAGED")

@test
def foreign_checkpoints():
    """A Spark checkpoint and a folder full of other things are refused by name"""
    write("ck/metadata", '{"id":"d719df94-9deb-4266-b121-f32ef4e35350"}')
    write("ck/offsets/0", 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1,"conf":{}}\n{"logOffset":0}')
    write("ck/commits/0", 'v1\n{"nextBatchWatermarkMs":0}')
    write("ck/sources/0/0", "v1\n")
    pipeline()
    land("landing/a.json", GOOD)
    result = once(code=78)
    has(result.err, "INLET_CHECKPOINT_OF_SPARK")
    assert not os.path.exists("ck/ledger") and not visible()
    write("ck2/metadata", '{"id":"d719df94-9deb-4266-b121-f32ef4e35350"}')
    pipeline(checkpoint="ck2")
    result = once(code=1)
    has(result.err, "CHECKPOINT")
    pipeline(checkpoint="landing")
    result = inlet("once", "p.yaml")
    assert result.code in (0, 78), result

main()

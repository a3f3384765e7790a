"""Finding files: by inotify and by listing, in both semantics; what is taken, what waits, what is passed over, and in which batch."""
import json, os, shutil, signal, subprocess, time
from lib import *

def wait_for(condition, seconds=15, what="it"):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)

def row(a):
    return '{"a":%d,"b":"x"}\n' % a

def ids(path="out"):
    return sorted(r["a"] for r in rows(path)) if os.path.isdir(path + "/_spark_metadata") else []

def cloud(reader=None, **more):
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", **(reader or {})}, **more)

def watching(reader=None, **more):
    cloud({"cloudFiles.useNotifications": "true", **(reader or {})}, **more)

def stop(p):
    p.send_signal(signal.SIGTERM)
    out, err = p.communicate(timeout=20)
    equal(p.returncode, 0, err.decode())
    return err.decode()

def aged(path, text, seconds):
    write(path, text)
    stamp = time.time() - seconds
    os.utime(path, (stamp, stamp))

def batches():
    """Names of the files of each batch, in order."""
    found = {}
    for f in files():
        if f["batch_id"] is not None:
            found.setdefault(f["batch_id"], []).append(os.path.basename(f["path"]))
    return [sorted(found[b]) for b in sorted(found)]

# --- inotify ---------------------------------------------------------------------------------------------------------

@test
def watch_ways():
    """A watching service takes files by rename, by write and close, in new folders, in moved-in trees, at once"""
    watching()
    land("landing/0.json", row(0))
    with service() as p:
        wait_for(lambda: ids() == [0])
        started = time.time()
        land("landing/1.json", row(1))
        wait_for(lambda: ids() == [0, 1])
        assert time.time() - started < 1.5, f"{time.time() - started} s"
        write("landing/2.json", row(2))
        wait_for(lambda: len(ids()) == 3)
        os.makedirs("landing/new/deep/er")
        write("landing/new/deep/er/3.json", row(3))
        wait_for(lambda: len(ids()) == 4)
        write("landing/new/deep/4.json", row(4))
        wait_for(lambda: len(ids()) == 5)
        write("aside/tree/x/5.json", row(5))
        write("aside/tree/6.json", row(6))
        os.rename("aside/tree", "landing/tree")
        wait_for(lambda: len(ids()) == 7)
        write("landing/tree/x/7.json", row(7))
        wait_for(lambda: len(ids()) == 8)
        os.rename("landing/tree", "landing/tree2")  # Other paths: other files.
        wait_for(lambda: len(ids()) == 11)
        write("landing/tree2/x/8.json", row(8))
        wait_for(lambda: len(ids()) == 12)
        os.link("landing/0.json", "landing/9.json")
        stop(p)
    once()
    equal(ids(), sorted([*range(9), 5, 6, 7, 0]))

@test
def watch_half_written():
    """A file that its writer keeps open is not taken until it is closed, and then whole"""
    watching()
    with service() as p:
        wait_for(lambda: os.path.isdir("ck/ledger"))
        f = open("landing/slow.json", "w")
        for i in range(6):
            f.write(row(i))
            f.flush()
            time.sleep(0.4)
        equal(ids(), [])
        f.close()
        wait_for(lambda: ids() == list(range(6)))
        stop(p)

@test
def watch_young_empty():
    """A young empty file is taken when it is a minute old, though nothing else happens"""
    watching()
    aged("landing/empty.json", "", 56)
    with service() as p:
        wait_for(lambda: os.path.isdir("ck/ledger") and files() and files()[0]["state"] == "committed", seconds=12)
        stop(p)

@test
def watch_appended_later():
    """A file that is written on after it was taken is not taken again; with allowOverwrites it is"""
    for overwrites in ("false", "true"):
        out, ck = "out_" + overwrites, "ck_" + overwrites
        watching({"cloudFiles.allowOverwrites": overwrites}, start=out, checkpoint=ck)
        write("landing/a.json", row(1))
        with service() as p:
            wait_for(lambda: ids(out) == [1])
            time.sleep(0.02)
            with open("landing/a.json", "a") as f:
                f.write(row(2))
            write("landing/sentinel.json", row(9))
            wait_for(lambda: 9 in ids(out))
            time.sleep(0.3)
            stop(p)
        equal(ids(out), [1, 9] if overwrites == "false" else [1, 1, 2, 9])
        shutil.rmtree("landing")

@test
def watch_many():
    """An overflowing queue of events costs nothing: the folder is listed again"""
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    if limit > 20000:
        raise Skip("fs.inotify.max_queued_events is large")
    watching()
    with service() as p:
        wait_for(lambda: os.path.isdir("ck/ledger"))
        land("landing/first.json", row(-1))
        wait_for(lambda: ids() == [-1])
        p.send_signal(signal.SIGSTOP)
        count = limit // 3 + 500
        for i in range(count):
            with open(f"landing/{i}.json", "w") as f:
                f.write(row(i))
        write("landing/sub/last.json", row(count))
        p.send_signal(signal.SIGCONT)
        wait_for(lambda: len(ids()) == count + 2, seconds=40, what="all files")
        land("landing/more.json", row(count + 1))
        wait_for(lambda: len(ids()) == count + 3)
        stop(p)
    equal(ids(), list(range(-1, count + 2)))

@test
def watch_limit():
    """Too few watches are said with their sysctl, and every file is found by listing"""
    watching()
    for i in range(20):
        land(f"landing/d{i:02}/a.json", row(i))
    set_limit = "echo 6 > /proc/sys/user/max_inotify_watches && exec \"$@\""
    if subprocess.run(["unshare", "-Ur", "sh", "-c", "echo 6 > /proc/sys/user/max_inotify_watches"], capture_output=True).returncode:
        raise Skip("no user namespaces with limits of their own")
    p = subprocess.Popen(["unshare", "-Ur", "sh", "-c", set_limit, "sh", INLET, "run", "p.yaml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: len(ids()) == 20)
        land("landing/d19/b.json", row(20))
        land("landing/new/c.json", row(21))
        wait_for(lambda: len(ids()) == 22, seconds=5)
        err = stop(p)
    finally:
        p.kill()
    has(err, "fs.inotify.max_user_watches")
    equal(err.count("max_user_watches"), 1, "said once")

@test
def watch_root_replaced():
    """A landing zone that is moved away and made anew goes on"""
    watching()
    land("landing/a.json", row(1))
    with service() as p:
        wait_for(lambda: ids() == [1])
        os.rename("landing", "old")
        time.sleep(0.3)
        os.makedirs("landing")
        land("landing/b.json", row(2))
        wait_for(lambda: 2 in ids(), seconds=10)
        land("landing/c.json", row(3))
        wait_for(lambda: 3 in ids(), seconds=10)
        err = stop(p)
        assert 1 <= err.count("/landing") <= 3, err

@test
def watch_links():
    """A load path below a link that is switched, and a folder linked in while watching, lose nothing"""
    os.makedirs("v1/in"), os.makedirs("v2/in"), os.makedirs("elsewhere")
    os.symlink("v1", "current")
    watching(load="current/in")
    land("v1/in/a.json", row(1))
    with service() as p:
        wait_for(lambda: ids() == [1])
        land("v2/in/b.json", row(2))
        os.symlink("v2", "next")
        os.rename("next", "current")
        wait_for(lambda: ids() == [1, 2], what="the file behind the switched link")
        land("v2/in/c.json", row(3))
        wait_for(lambda: ids() == [1, 2, 3])
        land("elsewhere/d.json", row(4))
        os.symlink("../../elsewhere", "v2/in/link")
        wait_for(lambda: ids() == [1, 2, 3, 4], what="the file behind the new link")
        shutil.rmtree("elsewhere")
        land("elsewhere/e.json", row(5))
        wait_for(lambda: ids() == [1, 2, 3, 4, 5], what="the file in the target made anew")
        stop(p)

@test
def service_by_listing():
    """A service without notifications finds new files, folders and moved-in trees too"""
    pipeline(load="landing/*")
    land("landing/x/a.json", row(1))
    with service() as p:
        wait_for(lambda: ids() == [1])
        land("landing/x/b.json", row(2))
        land("landing/y/c.json", row(3))
        wait_for(lambda: ids() == [1, 2, 3])
        stop(p)

@test
def service_root_gone():
    """A listing service waits for a landing zone that is away for a while, and says so once"""
    pipeline()
    land("landing/a.json", row(1))
    with service() as p:
        wait_for(lambda: ids() == [1])
        os.rename("landing", "old")
        time.sleep(1)
        os.rename("old", "landing")
        land("landing/b.json", row(2))
        wait_for(lambda: ids() == [1, 2])
        equal(stop(p).count("listing.unreadable"), 1)
    shutil.rmtree("landing")
    has(once(code=78).err, "PATH_NOT_FOUND")

# --- What is taken ----------------------------------------------------------------------------------------------------

@test
def globs():
    """Globs of the load path: *, ?, classes, braces, several levels and lists"""
    for name in ("a1/x.json", "a2/x.json", "b1/x.json", "c9/x.json", "a1/deep/x.json", "a1/y.txt", ".hid/x.json", "_hid/x.json", "a1/.h.json", "a1/_h.json", "{q}/x.json"):
        land("zone/" + name, json.dumps({"b": name}) + "\n")
    cases = {"zone/a*": {"a1/x.json", "a2/x.json", "a1/y.txt"}, "zone/{a1,b1}/*.json": {"a1/x.json", "b1/x.json"}, "zone/[ab]?/x*": {"a1/x.json", "a2/x.json", "b1/x.json"},
             "zone/[^ab]9": {"c9/x.json"}, "zone/[!ab]9": None, "zone/{a{1,2},c9}/x.json": {"a1/x.json", "a2/x.json", "c9/x.json"}, "zone/?[1-2]/*.json": {"a1/x.json", "a2/x.json", "b1/x.json"},
             "zone/\\{q\\}/x.json": {"{q}/x.json"}, "zone/nothing*": set(), "zone/a1/{deep,x.json}": None}
    for number, (load, expected) in enumerate(cases.items()):
        pipeline(load=load, start=f"out{number}", checkpoint=f"ck{number}")
        result = inlet("once", "p.yaml")
        if expected is None:
            continue
        equal(result.code, 0, f"{load} {result}")
        equal({r["b"] for r in rows(f"out{number}")}, expected, load)
    pipeline(load=["zone/a1", "zone/b1", "zone/a1"], start="out_l", checkpoint="ck_l")
    once()
    equal(sorted(r["b"] for r in rows("out_l")), ["a1/x.json", "a1/y.txt", "b1/x.json"], "a path given twice is read once")
    result = pipeline(load="zone/{a1,b1", start="out_b", checkpoint="ck_b") or once(code=78)
    has(result.err, "zone/{a1,b1")

@test
def depth_and_filter():
    """recursiveFileLookup, pathGlobFilter and cloudFiles' own descent"""
    for name in ("a.json", "b.txt", "sub/c.json", "sub/sub/d.json", "k=1/e.json", "_x/f.json", "sub/.g.json"):
        land("landing/" + name, json.dumps({"b": name}) + "\n")
    def got(number):
        once()
        return {r["b"] for r in rows(f"out{number}")}
    pipeline(start="out0", checkpoint="ck0")
    equal(got(0), {"a.json", "b.txt", "k=1/e.json"}, "plain: the folder and its key=value folders")
    pipeline(start="out1", checkpoint="ck1", reader={"recursiveFileLookup": "true", "pathGlobFilter": "*.json"})
    equal(got(1), {"a.json", "sub/c.json", "sub/sub/d.json", "k=1/e.json"})
    assert "k" not in rows("out1")[0], "no partition columns with recursiveFileLookup"
    cloud({"pathGlobFilter": "{a,c}.json"}, start="out2", checkpoint="ck2")
    equal(got(2), {"a.json", "sub/c.json"})

@test
def identities():
    """A file is its path; with fileNameOnly its name; with allowOverwrites its path and time"""
    land("landing/a.json", row(1))
    for number, more in enumerate(({"load": "landing*", "reader": {}}, {"load": "landing*", "reader": {"fileNameOnly": "true"}},
                                   {"fmt": "cloudFiles", "reader": {"cloudFiles.format": "json", "cloudFiles.allowOverwrites": "true"}})):
        pipeline(start=f"out{number}", checkpoint=f"ck{number}", **more)
        once()
    time.sleep(0.02)
    land("landing/a.json", row(2))
    land("landing2/a.json", row(3))
    for number, more, expected in ((0, {"load": "landing*", "reader": {}}, [1, 3]), (1, {"load": "landing*", "reader": {"fileNameOnly": "true"}}, [1]),
                                   (2, {"fmt": "cloudFiles", "reader": {"cloudFiles.format": "json", "cloudFiles.allowOverwrites": "true"}}, [1, 2])):
        pipeline(start=f"out{number}", checkpoint=f"ck{number}", **more)
        once()
        equal(ids(f"out{number}"), expected, more)
        equal(once().summary["files"], 0)

@test
def existing_files():
    """includeExistingFiles=false skips what was there at the first start only, and says so"""
    cloud({"cloudFiles.includeExistingFiles": "false"})
    land("landing/old.json", row(1))
    equal(once().summary["skipped_files"], 1)
    land("landing/new.json", row(2))
    once()
    equal(ids(), [2])
    has(inlet("why", "landing/old.json", "p.yaml").out, "includeExistingFiles")
    cloud()
    once()
    equal(ids(), [2], "looked at by the first start only")

@test
def ages():
    """maxFileAge counts from the newest file seen, not in the first batch, and is off unless set; modifiedAfter and modifiedBefore"""
    pipeline(reader={"maxFileAge": "1h"})
    aged("landing/old.json", row(1), 7200 * 5)
    aged("landing/new.json", row(2), 5)
    once()
    equal(ids(), [1, 2], "not in the first batch")
    aged("landing/late.json", row(3), 7200)
    aged("landing/fresh.json", row(4), 600)
    equal(once().summary["skipped_files"], 1)
    equal(ids(), [1, 2, 4])
    has(inlet("why", "landing/late.json", "p.yaml").out, "maxFileAge")
    pipeline(start="out2", checkpoint="ck2")
    once()
    aged("landing/ancient.json", row(5), 86400 * 3650)
    once()
    equal(ids("out2"), [1, 2, 3, 4, 5], "off unless set")
    for value, code in (("13 days", 78), ("14 days", 0)):
        cloud({"cloudFiles.maxFileAge": value})
        equal(inlet("check", "p.yaml").code, code)
    stamp = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds))
    cloud({"modifiedAfter": stamp(7200 * 2), "modifiedBefore": stamp(60)}, start="out3", checkpoint="ck3", conf={"spark.sql.session.timeZone": "UTC"})
    once()
    equal(ids("out3"), [3, 4])
    cloud({"modifiedAfter": stamp(7200 * 2 - 3600), "modifiedBefore": stamp(60 - 3600), "timeZone": "+01:00"}, start="out4", checkpoint="ck4")
    once()
    equal(ids("out4"), [3, 4], "the reader's timeZone counts")
    for value, code in (("2024-01-31", 0), ("2024-01-31 10:20:30.5", 0), ("2024-01-31T10:20:30+02:00", 0), ("2024-01-31T10:20:30 Europe/Paris", 0), ("12:00", 78), ("yesterday", 78), ("1700000000", 78)):
        cloud({"modifiedAfter": value})
        equal(inlet("check", "p.yaml").code, code, value)

@test
def order_and_limits():
    """Batches are cut by files and bytes in both semantics; oldest first, or latestFirst"""
    size = len(row(1))
    for i in range(5):
        aged(f"landing/{i}.json", row(i), 1000 - i)
    def run(number, reader, fmt="json"):
        pipeline(fmt=fmt, reader=reader, start=f"out{number}", checkpoint=f"ck{number}")
        once()
        return batches()
    names = [f"{i}.json" for i in range(5)]
    equal(run(0, {"maxFilesPerTrigger": "2"}), [names[0:2], names[2:4], names[4:]])
    equal(run(1, {"maxFilesPerTrigger": "2", "latestFirst": "true"}), [names[3:], names[1:3], names[:1]])
    equal(run(2, {"maxBytesPerTrigger": str(size * 5 // 2)}), [names[0:2], names[2:4], names[4:]], "plain: as many as fit")
    equal(run(3, {"maxBytesPerTrigger": "1"}), [[n] for n in names], "at least one")
    equal(run(4, {"cloudFiles.format": "json", "cloudFiles.maxBytesPerTrigger": f"{size * 5 // 2}b"}, "cloudFiles"), [names[0:3], names[3:]], "cloudFiles: the file that crosses is in")
    equal(run(5, {"cloudFiles.format": "json", "cloudFiles.maxBytesPerTrigger": "1g", "maxFilesPerTrigger": "4"}, "cloudFiles"), [names[:4], names[4:]])
    pipeline(reader={"maxFilesPerTrigger": "2", "maxBytesPerTrigger": "5"})
    equal(inlet("check", "p.yaml").code, 78)
    for value in ("0", "-1"):
        cloud({"cloudFiles.maxFilesPerTrigger": value})
        has(once(code=78).err, "CF_MAX_MUST_BE_POSITIVE")

@test
def partitions():
    """key=value folders become typed columns; partitionColumns chooses them; null and escapes; appended ones get nulls"""
    land("landing/day=2024-01-05/n=7/a.json", row(1))
    land("landing/day=__HIVE_DEFAULT_PARTITION__/n=8/b.json", row(2))
    land("landing/day=2024-01-06/n=9/c.json", row(3))
    pipeline()
    once()
    import datetime
    got = {r["a"]: (r["day"], r["n"]) for r in rows_partitioned("out")}
    equal(got, {1: (datetime.date(2024, 1, 5), 7), 2: (None, 8), 3: (datetime.date(2024, 1, 6), 9)})
    cloud({"cloudFiles.partitionColumns": "n"}, start="out2", checkpoint="ck2")
    once()
    equal(sorted(rows("out2")[0]), ["a", "b", "n"])
    cloud({"cloudFiles.partitionColumns": ""}, start="out3", checkpoint="ck3")
    once()
    equal(sorted(rows("out3")[0]), ["a", "b"])
    pipeline(schema="a BIGINT, n STRING", start="out4", checkpoint="ck4")
    once()
    equal(sorted(r["n"] for r in rows("out4")), ["7", "8", "9"])

@test
def partition_folders_anywhere():
    """Plain formats find key=value folders below plain ones; files of plain folders stay out; the own output is never input"""
    land("landing/sub/deep/k=1/a.json", row(1))
    land("landing/sub/deep/k=2/plain/b.json", row(2))
    land("landing/sub/c.json", row(3))
    pipeline(start="landing/out", checkpoint="landing/ck", sink="json", partition_by=["k"])
    once()
    equal(sorted(f["path"].split("landing/")[1] for f in files()), ["sub/deep/k=1/a.json", "sub/deep/k=2/plain/b.json"])
    equal(once().summary["files"], 0, "what was written is not read")
    has(inlet("why", "p.yaml", "landing/sub/c.json").out, "recursiveFileLookup")
    own = [os.path.join(d, n) for d, _, names in os.walk("landing/out") for n in names if n.endswith(".json")][0]
    has(inlet("why", "p.yaml", own).out, "output")

@test
def partition_conflicts():
    """Folders that do not make one table are refused, also over several batches; empty names too"""
    def run(number, *folders, code=1, says=None, **more):
        for f in folders:
            land(f"zone{number}/{f}/a.json", row(1))
        pipeline(load=f"zone{number}", start=f"out{number}", checkpoint=f"ck{number}", **more)
        result = once(code=code)
        if says: has(result.err, says)
    run(1, "s/k=1", "t/k=2", says="CONFLICTING_DIRECTORY_STRUCTURES")
    run(2, "k=1", code=0)
    run(2, "l=1", says="CONFLICTING_PARTITION_COLUMN_NAMES")
    run(3, "k=1", code=0)
    run(3, "k=1/l=2", says="CONFLICTING_PARTITION_COLUMN_NAMES")
    run(4, "k=1", code=0)
    run(4, "s/k=2", says="CONFLICTING_DIRECTORY_STRUCTURES")
    shutil.move("zone4/s/k=2", "zone4/k=2")  # Put right: the batch loses the file and the next one has it.
    run(4, code=0)
    equal(sorted(r["k"] for r in rows("out4")), [1, 2])
    run(5, "=1", says="EMPTY_PARTITION_COLUMN_NAME")
    run(6, "k=1", code=0)
    shutil.rmtree("zone6/k=1")
    run(6, "l=1", says="Add it to the schema")
    run(6, code=0, schema="a BIGINT, l INT")
    equal(sorted(r["l"] or 0 for r in rows("out6") if "l" in r), [1])

@test
def why_odd_paths():
    """inlet why understands URIs, relative paths and odd names, and knows loops of links, folders and what is not there"""
    cloud()
    for name in ("a", "n\nl%20x", "sp ace"):
        write(f"landing/{name}.json", row(1))
    os.makedirs("landing/d")
    os.symlink("..", "landing/d/up")
    os.symlink("self", "landing/self")
    write("landing/d/b.json", row(2))
    equal(once().summary["files"], 4)
    for word, says in (("landing/a.json", "[committed]"), ("./landing/../landing//a.json", "[committed]"), ("landing/n\nl%20x.json", "[committed]"),
                       ("file:" + os.path.abspath("landing/sp%20ace.json"), "[committed]"), ("file://" + os.path.abspath("landing/n%0Al%2520x.json"), "[committed]"),
                       ("landing/d/up/landing/a.json", "No such file"), ("landing/d/up/a.json", "loop"), ("landing/d/up/d/b.json", "loop"), ("landing/d", "folder"), ("landing/", "folder"),
                       ("landing/self", "symbolic links"), ("landing/none.json", "[absent]"), ("landing/a.json/x", "[absent]"), ("/", "not the absolute path")):
        has(inlet("why", "p.yaml", word).out, says)
        equal(json.loads(inlet("why", "--json", "p.yaml", word).out)["pipeline"], "p")
    equal(inlet("why", "p.yaml", "").code, 2)
    has(inlet("why", "-p", "../p.yaml", "a.json", cwd="landing").out, "[committed]")

@test
def base_path():
    """basePath has to be a folder at or above the load path"""
    land("landing/k=1/l=2/a.json", row(1))
    land("landing/k=2/l=3/b.json", row(2))
    write("landing/f.txt", "")
    for base, load, says in (("nowhere", "landing", "'basePath' not found"), ("landing/f.txt", "landing", "must be a directory"), ("landing/k=1", "landing", "wrong basePath"),
                             ("landing/k=1", "landing/k=2", "wrong basePath"), ("landing/k=1", "landing/k=*", None)):
        pipeline(load=load, reader={"basePath": base})
        if says: has(inlet("check", "p.yaml").err, says)
        has(once(code=78).err, says or "wrong basePath")
        shutil.rmtree("ck", ignore_errors=True)
    for number, load in enumerate(("landing/k=1", "landing/k=[1]", "landing/k=1/*")):
        pipeline(load=load, reader={"basePath": "landing"}, start=f"out{number}", checkpoint=f"ck{number}")
        once()
        equal([(r["a"], r["k"], r["l"]) for r in rows(f"out{number}")], [(1, 1, 2)])

def rows_partitioned(path):
    return rows(path)

@test
def backfill():
    """backfillInterval lists again; what the watches never told is found"""
    watching({"cloudFiles.backfillInterval": "1 second"})
    land("landing/a.json", row(1))
    with service() as p:
        wait_for(lambda: ids() == [1])
        subprocess.run(["mkdir", "-p", "hidden/sub"])
        write("hidden/sub/b.json", row(2))
        if os.geteuid() or subprocess.run(["mount", "--bind", "hidden", "landing"], capture_output=True).returncode:
            stop(p)
            raise Skip("needs a right to mount")
        try:
            wait_for(lambda: ids() == [1, 2], seconds=8)
        finally:
            subprocess.run(["umount", "-l", "landing"])
        stop(p)

@test
def known_are_not_read_again():
    """Runs over a folder that did not change, or whose files were touched, load nothing; files added in the same second are found"""
    pipeline()
    for i in range(50):
        land(f"landing/{i}.json", row(i))
    once()
    for i in range(20):
        land(f"landing/late{i}.json", row(100 + i))
        equal(once().summary["files"], 1, i)
    os.utime("landing/3.json")
    equal(once().summary["files"], 0)
    equal(ids(), [*range(50), *range(100, 120)])

main()

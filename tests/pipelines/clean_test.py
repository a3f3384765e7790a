"""cleanSource: only what is committed, only what was read, never over anything, also across file systems and after a crash."""
import json, os, random, shutil, signal, subprocess, time
from lib import *

def row(a):
    return '{"a":%d,"b":"x"}\n' % a

def ids(path="out"):
    return sorted(r["a"] for r in rows(path))

def archive(directory="archive", **more):
    pipeline(reader={"cleanSource": "archive", "sourceArchiveDir": directory, **more.pop("reader", {})}, **more)

def move(directory="moved", retention="0 seconds", mode="MOVE", reader=None, **more):
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.cleanSource": mode, "cloudFiles.cleanSource.retentionDuration": retention,
                                       **({"cloudFiles.cleanSource.moveDestination": directory} if directory else {}), **(reader or {})}, **more)

def tree(path):
    found = set()
    for folder, _, names in os.walk(path):
        found |= {os.path.relpath(os.path.join(folder, n), path) for n in names}
    return found

def state_of(path):
    found = [f for f in files() if f["path"].endswith(path)]
    assert len(found) == 1, (path, files())
    return found[0]

@contextlib.contextmanager
def other_disk(path, size="16m"):
    os.makedirs(path, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], capture_output=True).returncode:
        raise Skip("needs a right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path])

@test
def spark_archive():
    """archive keeps the whole path below sourceArchiveDir, and cleans the last batch before the run ends"""
    archive(reader={"maxFilesPerTrigger": "1"})
    for i in range(3):
        land(f"landing/{i}.json", row(i))
    land("landing/day=2024-01-05/3.json", row(3))
    equal(once().summary["cleaned_files"], 4)
    equal(tree("landing"), set())
    base = "archive" + os.path.realpath("landing")
    equal(tree(base), {"0.json", "1.json", "2.json", "day=2024-01-05/3.json"})
    equal(open(base + "/2.json").read(), row(2))
    listed = files()
    assert all(f["cleaned"] and f["archive_time"] and os.path.exists(f["move_location"]) for f in listed), listed
    has(inlet("why", "landing/0.json", "p.yaml").out, "archive")
    land("landing/0.json", row(9))
    equal(once().summary["files"], 0, "the name is known, archived or not")

@test
def spark_delete():
    """delete removes committed files, and nothing else"""
    pipeline(reader={"cleanSource": "delete", "pathGlobFilter": "*.json"})
    land("landing/a.json", row(1))
    land("landing/a.txt", "mine")
    write("landing/young.json", "")
    once()
    equal(tree("landing"), {"a.txt", "young.json"})
    equal(ids(), [1])

@test
def cloud_move():
    """MOVE keeps the path relative to the load path, after its retention"""
    move(retention="2 seconds")
    land("landing/x/a.json", row(1))
    land("landing/b.json", row(2))
    once()
    equal(tree("landing"), {"x/a.json", "b.json"})
    time.sleep(2.1)
    land("landing/c.json", row(3))
    once()
    equal(tree("landing"), {"c.json"})
    equal(tree("moved"), {"x/a.json", "b.json"})
    equal(state_of("b.json")["move_location"], os.path.realpath("moved/b.json"))

@test
def cloud_retention():
    """DELETE wants more than 7 days; the default is 30; nothing is deleted before"""
    for retention, code in (("7 days", 78), ("6 days", 78), ("167 hours", 78), ("8 days", 0), ("1 month", 0)):
        move(None, retention, "DELETE")
        result = inlet("check", "p.yaml")
        equal(result.code, code, repr(result))
        if code:
            has(result.err, "7 days", "line ")
    land("landing/a.json", row(1))
    once()
    once()
    equal(tree("landing"), {"a.json"})
    move(None)
    has(inlet("check", "p.yaml").err, "moveDestination")
    pipeline(reader={"cleanSource": "MOVE"})
    equal(inlet("check", "p.yaml").code, 78, "a plain format has no MOVE")
    pipeline(reader={"cleanSource": "archive"})
    has(once(code=78).err, "sourceArchiveDir")

@test
def refused_folders():
    """An archive inside the source, or one that the source's glob matches, is refused; nothing is read"""
    land("landing/a.json", row(1))
    land("zone/x/a.json", row(1))
    for load, directory in (("landing", "landing/archive"), ("landing", "landing"), ("zone/*", "zone/archive"), ("landing", "."), ("zone/*", "zone")):
        archive(directory, load=load)
        for verb in ("check", "once"):
            result = inlet(verb, "p.yaml")
            equal(result.code, 78, f"{load} {directory} {result}")
            has(result.err, "sourceArchiveDir")
    move("landing/moved")
    has(once(code=78).err, "moveDestination")
    assert not os.path.exists("out")

@test
def clashes():
    """A name that is taken in the archive is never overwritten; a copy of the same content is no clash"""
    base = "archive" + os.path.realpath(".") + "/landing"
    write(base + "/a.json", "somebody else's")
    write(base + "/b.json", row(2))
    os.makedirs(base + "/c.json")
    archive()
    for i, name in enumerate("abc"):
        land(f"landing/{name}.json", row(i + 1))
    once()
    equal(open(base + "/a.json").read(), "somebody else's")
    equal(open(base + "/a.json.1").read(), row(1))
    equal(tree(base), {"a.json", "a.json.1", "b.json", "c.json.1"})
    equal(tree("landing"), set())
    equal(state_of("a.json")["move_location"], os.path.realpath(base + "/a.json.1"))

@test
def replaced():
    """A file that was replaced or written on after it was read is kept, and said"""
    move(retention="1 second")
    for name in "abcd":
        land(f"landing/{name}.json", row(1))
    once()
    land("landing/a.json", row(7))
    with open("landing/b.json", "a") as f:
        f.write(row(8))
    os.unlink("landing/c.json")
    time.sleep(1.1)
    once()
    equal(tree("landing"), {"a.json", "b.json"})
    equal(open("landing/a.json").read(), row(7))
    equal(tree("moved"), {"d.json"})
    for name in "ab":
        has(json.dumps(state_of(name + ".json")), "changed or replaced")
    once()
    equal(tree("landing"), {"a.json", "b.json"})

@test
def across_disks():
    """To another file system the file is copied, then removed; mode and time are kept; a full archive keeps the source"""
    with other_disk("disk", "1m"):
        archive("disk/archive")
        land("landing/a.json", row(1))
        os.chmod("landing/a.json", 0o640)
        os.utime("landing/a.json", (1000000, 1000000))
        once()
        target = "disk/archive" + os.path.realpath("landing") + "/a.json"
        equal(open(target).read(), row(1))
        equal(tree("landing"), set())
        equal((os.stat(target).st_mtime, os.stat(target).st_mode & 0o777), (1000000, 0o640))
        big = row(2) + "\n" * (3 << 20)
        land("landing/big.json", big)
        land("landing/small.json", row(3))
        result = once()
        equal(ids(), [1, 2, 3], "the load is not held up")
        equal(tree("landing"), {"big.json"} if "small.json" not in tree("landing") else {"big.json", "small.json"})
        equal(open("landing/big.json").read() == big, True, "the source is whole, under its own name")
        equal({n for n in tree("disk/archive") if "big" in n}, set(), "no half copy")
        subprocess.run(["mount", "-o", "remount,size=64m", "disk"], check=True)
        once()
        equal(tree("landing"), set())
        equal(os.path.getsize("disk/archive" + os.path.realpath("landing") + "/big.json"), len(big))

@test
def archive_not_writable():
    """An archive that cannot be written keeps the files, says so, and is tried again"""
    write("archive", "a file in the way")
    archive()
    land("landing/a.json", row(1))
    result = once()
    equal((result.summary["cleaned_files"], ids()), (0, [1]))
    has(result.err, "archive")
    equal(tree("landing"), {"a.json"})
    os.unlink("archive")
    equal(once().summary["cleaned_files"], 1)
    equal(tree("landing"), set())

@test
def memory_of_what_cannot_be_cleaned():
    """Memory does not grow with the number of files that wait to be cleaned again"""
    write("archive", "a file in the way")
    for i in range(4000): write(f"landing/{i}.json", row(i))
    archive()
    once()
    measured("once", "--quiet", "p.yaml", limit=48 << 20)
    equal(len(tree("landing")), 4000)

@test
def failed_batch_keeps():
    """Nothing of a batch that failed, or of a file that failed, is cleaned"""
    archive(reader={"mode": "FAILFAST"})
    land("landing/a.json", row(1))
    land("landing/b.json", "{nonsense\n")
    once(code=1)
    equal(tree("landing"), {"a.json", "b.json"})
    archive()
    equal(once().summary["cleaned_files"], 2)

@test
def switched_on_later():
    """Files of batches committed while cleanSource was off are not touched when it is switched on"""
    pipeline()
    land("landing/old.json", row(1))
    once()
    archive()
    land("landing/new.json", row(2))
    once()
    equal(tree("landing"), {"old.json"})

@test
def odd_modes():
    """Links are not followed out of the landing zone; hidden and foreign files stay"""
    archive()
    write("elsewhere/target.json", row(1))
    os.makedirs("landing")if not os.path.isdir("landing") else None
    os.symlink("../elsewhere/target.json", "landing/link.json")
    land("landing/.hidden.json", row(9))
    once()
    equal(ids(), [1])
    assert os.path.exists("elsewhere/target.json"), "the file behind the link stays"

@test
def idle_service():
    """A service moves files when their retention ends, though no batch comes"""
    for number, watch in enumerate(("false", "true")):
        move(f"moved{number}", retention="2 seconds", reader={"cloudFiles.useNotifications": watch}, start=f"out{number}", checkpoint=f"ck{number}")
        land("landing/a.json", row(1))
        with service() as p:
            deadline = time.time() + 18
            while tree("landing") and time.time() < deadline:
                time.sleep(0.05)
            equal((tree("landing"), tree(f"moved{number}")), (set(), {"a.json"}), f"useNotifications={watch}")
            p.send_signal(signal.SIGTERM)
            equal(p.wait(10), 0)

@test
def killed_while_cleaning():
    """Killed at random moments between commit and clean: every file ends in the archive once, whole, on one disk and across two"""
    rng = random.Random(SEED)
    def torture(directory, start, checkpoint):
        archive(directory, reader={"maxFilesPerTrigger": "3"}, start=start, checkpoint=checkpoint)
        for i in range(120):
            land(f"landing/{i:03}.json", row(i))
        while True:
            p = subprocess.Popen([INLET, "once", "p.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                err = p.communicate(timeout=rng.uniform(0.005, 0.12))[1]
                equal(p.returncode, 0, err.decode())
                break
            except subprocess.TimeoutExpired:
                p.kill()
                p.communicate()
        equal(ids(start), list(range(120)))
        equal(tree("landing"), set())
        base = directory + os.path.realpath("landing")
        equal(tree(base), {f"{i:03}.json" for i in range(120)})
        for i in range(120):
            equal(open(f"{base}/{i:03}.json").read(), row(i))
        equal({f["cleaned"] for f in files()}, {True})
    torture("archive", "out", "ck")
    with other_disk("disk"):
        torture("disk/archive", "out2", "ck2")

DAY = 86400

@test
def delete_after_days():
    """DELETE: nothing before the retention of 8 days is over, each file once after it, counted from its own commit, whatever was restarted"""
    move(None, retention="8 days", mode="DELETE")
    land("landing/a.json", row(1))
    equal(once(env=doors(clock=0)).summary["cleaned_files"], 0)
    land("landing/b.json", row(2))
    os.utime("landing/b.json", (1, 1))  # The age of a file does not matter.
    equal(once(env=doors(clock=4 * DAY)).summary["cleaned_files"], 0)
    equal(once(env=doors(clock=8 * DAY - 60)).summary["cleaned_files"], 0)
    equal(tree("landing"), {"a.json", "b.json"})
    equal(once(env=doors(clock=-8 * DAY)).summary["cleaned_files"], 0, "a clock that went back")
    equal(once(env=doors(clock=8 * DAY + 60)).summary["cleaned_files"], 1)
    equal(tree("landing"), {"b.json"})
    equal([state_of("a.json")["cleaned"], state_of("b.json")["cleaned"]], [True, False])
    equal(once(env=doors(clock=8 * DAY + 60)).summary["cleaned_files"], 0, "once")
    equal(once(env=doors(clock=12 * DAY + 60)).summary["cleaned_files"], 1)
    equal(tree("landing"), set())
    equal([once(env=doors(clock=40 * DAY)).summary["cleaned_files"], ids()], [0, [1, 2]])

@test
def delete_leaves_what_came_since():
    """DELETE after days: a file that was replaced since it was loaded stays, for good, and says why"""
    move(None, retention="8 days", mode="DELETE")
    land("landing/a.json", row(1))
    once()
    land("landing/a.json", row(5))
    equal(once(env=doors(clock=9 * DAY)).summary["cleaned_files"], 0)
    equal(open("landing/a.json").read(), row(5))
    has(state_of("a.json")["clean_reason"], "replaced after it was read")
    equal(once(env=doors(clock=90 * DAY)).summary["cleaned_files"], 0)
    equal([tree("landing"), ids()], [{"a.json"}, [1]])

@test
def moved_after_days():
    """MOVE after 30 days, the default: not before, once after it, by the setting now in force, and beside other batches' files"""
    reader = {"cloudFiles.format": "json", "cloudFiles.cleanSource": "MOVE", "cloudFiles.cleanSource.moveDestination": "moved"}
    pipeline(fmt="cloudFiles", reader=reader)
    land("landing/x/a.json", row(1))
    once()
    equal(once(env=doors(clock=30 * DAY - 60)).summary["cleaned_files"], 0)
    land("landing/b.json", row(2))
    equal(once(env=doors(clock=30 * DAY + 60)).summary["cleaned_files"], 1)
    equal([tree("landing"), tree("moved")], [{"b.json"}, {"x/a.json"}])
    pipeline(fmt="cloudFiles", reader={**reader, "cloudFiles.cleanSource.retentionDuration": "1 day"})
    equal(once(env=doors(clock=31 * DAY)).summary["cleaned_files"], 0)
    equal(once(env=doors(clock=31 * DAY + 120)).summary["cleaned_files"], 1)
    equal([tree("landing"), tree("moved"), ids()], [set(), {"x/a.json", "b.json"}, [1, 2]])
    equal(open("moved/b.json").read(), row(2))

@test
def killed_before_retention():
    """A service that was killed cleans in its next life what became due meanwhile, without a new file"""
    move(retention="8 days")
    land("landing/a.json", row(1))
    with service() as p:
        deadline = time.time() + 20
        while time.time() < deadline and not os.path.exists("out/_spark_metadata/0"): time.sleep(0.05)
        time.sleep(0.5)
        p.kill()
    equal([ids(), tree("landing")], [[1], {"a.json"}])
    with service(env=doors(clock=8 * DAY + 60)) as p:
        deadline = time.time() + 20
        while time.time() < deadline and tree("landing"): time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        p.wait(20)
    equal([tree("landing"), tree("moved"), ids()], [set(), {"a.json"}, [1]])

@test
def many_that_cannot_be_cleaned():
    """A thousand files that can never be moved do not keep those behind them from being moved later"""
    if os.geteuid() != 0 or not shutil.which("chattr") or subprocess.run(["chattr", "+i", "."], capture_output=True).returncode: raise Skip("needs immutable folders")
    subprocess.run(["chattr", "-i", "."])
    os.makedirs("landing/fixed")
    move(reader={"recursiveFileLookup": "true"})
    for i in range(1001): write(f"landing/fixed/{i}.json", row(i))
    write("landing/later/x.json", row(-1))
    os.utime("landing/later/x.json", (4e9, 4e9))  # The last one of its batch.
    subprocess.run(["chattr", "+i", "landing/fixed", "landing/later"], check=True)
    try:
        equal(once().summary["cleaned_files"], 0)
        subprocess.run(["chattr", "-i", "landing/later"], check=True)
        equal(once().summary["cleaned_files"], 1)
        equal(tree("moved"), {"later/x.json"})
    finally:
        subprocess.run(["chattr", "-R", "-i", "landing"])

main()

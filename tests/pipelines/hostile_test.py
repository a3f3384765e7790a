"""Names, links and folders that try to make inlet read what was not sighted, or write or delete outside its roots. A tree of canaries
beside the roots must stay as it is, whatever happens."""
import hashlib, json, os, random, signal, stat, subprocess, threading, time
from lib import *

def row(i, more=""):
    return '{"a":%d,"b":"%s"}\n' % (i, more)

def canaries():
    """What must not be touched: files that look like input, beside all roots."""
    write("outside/secret.json", row(666))
    write("outside/folder/secret.json", row(667))
    write("outside/k=1/secret.json", row(668))
    write("outside/part-00000.parquet", "no parquet")
    os.makedirs("outside/empty", exist_ok=True)

def picture(root="outside"):
    """Names, kinds, content and times of everything below."""
    seen = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            content = hashlib.sha1(open(path, "rb").read()).hexdigest() if stat.S_ISREG(info.st_mode) else None
            seen[path] = (stat.S_IFMT(info.st_mode), info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino, content)
    return seen

def ids(start="out", fmt="parquet"):
    return sorted(r["a"] for r in rows(start, fmt))

CLEANINGS = {"archive": {"cleanSource": "archive", "sourceArchiveDir": "archive"}, "delete": {"cleanSource": "delete"}}

# --- Links ------------------------------------------------------------------------------------------------------------

@test
def link_to_file():
    """A link to a file is read as a file, and never archived or deleted, nor is what it leads to"""
    for name, clean in CLEANINGS.items():
        canaries()
        before = picture()
        pipeline(reader=clean, start="out-" + name, checkpoint="ck-" + name)
        os.symlink("../outside/secret.json", "landing/link.json")
        land("landing/own.json", row(1))
        once()
        equal(ids("out-" + name), [1, 666])
        equal(picture(), before, name)
        equal(os.listdir("landing"), ["link.json"])
        once()
        equal(os.listdir("landing"), ["link.json"])
        os.unlink("landing/link.json")

@test
def link_to_folder():
    """Files behind a link to a folder are read, and never archived or deleted"""
    for name, clean in CLEANINGS.items():
        canaries()
        before = picture()
        pipeline(reader={**clean, "recursiveFileLookup": "true"}, start="out-" + name, checkpoint="ck-" + name)
        os.symlink("../outside/folder", "landing/link")
        os.makedirs("landing/real", exist_ok=True)
        land("landing/real/own.json", row(1))
        once()
        equal(ids("out-" + name), [1, 667])
        equal(picture(), before, name)
        assert not os.path.exists("landing/real/own.json"), "the zone's own file is cleaned"
        why = [f for f in files() if f["path"].endswith("link/secret.json")]
        assert len(why) == 1 and "symbolic link" in json.dumps(why[0]), why
        os.unlink("landing/link")

@test
def landing_zone_is_link():
    """A load path that is itself a link is the user's own choice: its files are cleaned"""
    os.makedirs("real")
    os.symlink("real", "landing")
    pipeline(reader=CLEANINGS["archive"])
    land("real/a.json", row(1))
    once()
    equal((ids(), os.listdir("real")), ([1], []))

@test
def swapped_before_read():
    """A name that leads to another file of the same size and time than was sighted is not read as that file"""
    pipeline(reader={"mode": "FAILFAST"})
    canaries()
    land("landing/a.json", row(111))
    land("landing/bad.json", "nonsense\n")
    once(code=1)  # Both are planned now; the plan will be run again.
    equal({f["state"] for f in files()}, {"planned"})
    info = os.stat("landing/a.json")
    os.utime("outside/secret.json", ns=(info.st_atime_ns, info.st_mtime_ns))
    equal(os.stat("outside/secret.json").st_size, info.st_size)
    os.symlink("../outside/secret.json", "landing/.swap")
    os.rename("landing/.swap", "landing/a.json")
    os.unlink("landing/bad.json")
    result = inlet("once", "p.yaml")
    has(result.err, "another file stands under its name")
    equal([r["a"] for r in rows()] in ([], [666]), True, "nothing of the old sighting; the link only by a sighting of its own")
    assert result.code in (0, 3), result

@test
def swapped_all_the_time():
    """While a name is swapped between a file and a link to a folder, a service deletes nothing behind the link"""
    canaries()
    before = picture()
    pipeline(reader={"cleanSource": "delete", "recursiveFileLookup": "true"}, checkpoint="ck")
    os.makedirs("landing/d")
    stop = threading.Event()
    landed = []
    def swapper():
        turn = 0
        while not stop.is_set():
            turn += 1
            try:
                land(f"landing/d/f{turn}.json", row(turn))
                landed.append(turn)
                os.rename("landing/d", "landing/.d")
                os.symlink("../outside/folder", "landing/d")
                time.sleep(0.002)
                os.unlink("landing/d")
                os.rename("landing/.d", "landing/d")
            except OSError:
                pass
            time.sleep(0.02)
    with service() as p:
        thread = threading.Thread(target=swapper)
        thread.start()
        time.sleep(4)
        stop.set()
        thread.join()
        time.sleep(0.5)
        p.send_signal(signal.SIGTERM)
        equal(p.wait(20), 0)
    once()
    equal(picture(), before)
    got = [i for i in ids() if i != 667]
    equal(got, landed)

@test
def links_in_the_sink():
    """Links planted in the sink, its log and its staging folder are not written through"""
    canaries()
    pipeline(partition_by=["b"])
    land("landing/a.json", row(1, "x"))
    once()
    before = picture()
    os.symlink("../outside", "out/b=y")
    os.symlink("../../outside/new", "out/_spark_metadata/1")
    land("landing/b.json", row(2, "z"))
    result = inlet("once", "p.yaml")
    equal(picture(), before)
    assert not os.path.lexists("outside/new")
    assert result.code != 0, "a log entry that is a link is not inlet's"
    os.unlink("out/_spark_metadata/1")
    once()
    equal(ids(), [1, 2])

# --- Places that must not be the same ---------------------------------------------------------------------------------

@test
def archive_inside_source():
    """An archive in the source is refused, however its path is written"""
    for load, directory in (("landing", "landing/archive"), ("landing", "./x/../landing/archive"), ("landing", "landing"), ("landing/*", "landing/x"), ("landing", "landing//a/.")):
        pipeline(load=load, reader={"cleanSource": "archive", "sourceArchiveDir": directory})
        land("landing/a.json", row(1))
        result = inlet("once", "p.yaml")
        assert result.code in (2, 78), (load, directory, result)
        has(result.err, "archive")
        assert os.path.exists("landing/a.json")
    for directory in ("landing/moved", "landing"):
        pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.cleanSource": "MOVE", "cloudFiles.cleanSource.moveDestination": directory})
        result = inlet("once", "p.yaml")
        assert result.code in (2, 78), (directory, result)

@test
def archive_through_link():
    """An archive folder that leads into the source by a link is refused"""
    pipeline(reader={"cleanSource": "archive", "sourceArchiveDir": "archive", "recursiveFileLookup": "true"})
    os.symlink("landing", "archive")
    land("landing/a.json", row(1))
    result = inlet("once", "p.yaml")
    equal(result.code, 78, repr(result))
    has(result.err, "archive")
    assert os.path.exists("landing/a.json")

# --- Names ------------------------------------------------------------------------------------------------------------

@test
def names_that_climb():
    """Names that look like ways out, in folders and partition values, stay names"""
    canaries()
    before = picture()
    names = ["..%2f..%2foutside%2fsecret.json", "%2e%2e", "...", "..json", "a\\..\\b.json", "~", "-rf", "$(touch x)", "`id`", "a;b|c&d.json", "file:///etc/passwd".replace("/", "\u2215")]
    folders = ["k=..", "k=..%2F..%2Foutside", "k=%2Fetc", "k=.", "k=~", "k=a%00b"]
    pipeline(schema="a BIGINT, b STRING", reader={"cleanSource": "archive", "sourceArchiveDir": "archive"}, partition_by=["k"])
    wanted = 0
    for folder in folders:
        for name in names:
            write(f"landing/{folder}/{name}", row(wanted))
            wanted += not name.startswith(".")
    once()
    equal(ids(), sorted(r for r in ids()), "")
    equal(len(ids()), wanted)
    equal(picture(), before)
    equal(sorted(n for n in os.listdir(".") if n not in ("outside", "landing", "out", "ck", "archive", "p.yaml")), [])
    for path in sink_files():
        assert os.path.realpath(path).startswith(os.path.realpath("out") + "/"), path

@test
def huge_names():
    """Names of 255 bytes, names with newlines, and paths longer than a system call takes: loaded or told, never a crash"""
    pipeline(reader={"cleanSource": "archive", "sourceArchiveDir": "archive", "recursiveFileLookup": "true"})
    write("landing/" + "n" * 250 + ".json", row(1))
    write("landing/" + "ü" * 125 + ".json", row(2))
    write("landing/two\nlines\n.json", row(3))
    here, depth = os.getcwd(), 0
    os.chdir("landing")
    while depth < 20:
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
        write("deep.json", row(100 + depth))
        depth += 1
    os.chdir(here)
    result = inlet("once", "p.yaml", timeout=60)
    assert result.code in (0, 3), result
    got = ids()
    equal(got[:3], [1, 2, 3])
    equal(got[3:], list(range(100, 97 + len(got))), "all that a path can reach")
    assert len(got) > 10, got
    has(json.dumps(files()), "two\\nlines")
    os.chdir("landing")
    for _ in range(depth):
        os.chdir("d" * 250)
    for _ in range(depth):  # shutil cannot.
        if os.path.exists("deep.json"): os.unlink("deep.json")
        os.chdir("..")
        os.rmdir("d" * 250)
    os.chdir(here)

@test
def nothing_else_is_written():
    """Traced: every file that is created, renamed or removed lies below the checkpoint, the sink, the source or the archive"""
    import shutil
    if not shutil.which("strace"):
        raise Skip("needs strace")
    canaries()
    for sink in ("parquet", "delta", "json"):
        pipeline(reader=CLEANINGS["archive"], sink=sink, start="out-" + sink, checkpoint="ck-" + sink)
        for i in range(3):
            land(f"landing/{sink}{i}.json", row(i))
        calls = "openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,truncate,rmdir"
        p = subprocess.run(["strace", "-f", "-y", "-o", "trace", "-e", "trace=" + calls, INLET, "once", "p.yaml"], capture_output=True, text=True)
        if p.returncode != 0 and "ptrace" in p.stderr:
            raise Skip("strace may not trace here")
        equal(p.returncode, 0, p.stderr)
        roots = [os.path.realpath(r) for r in ("landing", "out-" + sink, "ck-" + sink, "archive")]
        import re
        for line in open("trace"):
            if "= -1" in line or ("open" in line.split("(")[0] and "O_CREAT" not in line and "O_WRONLY" not in line and "O_RDWR" not in line):
                continue
            for folder, name in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, |\()"([^"]*)"', line):
                path = os.path.normpath(os.path.join(folder or os.getcwd(), name))
                ok = any(path == r or path.startswith(r + "/") for r in roots) or path.startswith(("/dev/", "/proc/", "/tmp/tsan."))  # The last one: ThreadSanitizer's own.
                assert ok or path.endswith(".gcda"), (path, line)  # The counters of make coverage are no part of the program.

main()

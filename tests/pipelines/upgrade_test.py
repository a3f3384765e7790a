"""A checkpoint that an earlier build wrote goes on: tests/data/checkpoint-vN.tar.gz holds two committed batches, one planned, a file
that is pending, an archive. A checkpoint of a later format is refused."""
import fcntl, json, os, shutil, subprocess, tarfile
from lib import *

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data")
FORMAT = 2  # Of today.

class golden:
    """The stored tree at its place, one test at a time."""
    def __init__(self, format):
        self.name = f"checkpoint-v{format}"
        self.root = "/tmp/inlet-golden-" + self.name  # The ledger holds absolute paths.
    def __enter__(self):
        self.lock = open(self.root + ".lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        with tarfile.open(os.path.join(DATA, self.name + ".tar.gz")) as tar:
            tar.extractall(self.root)
        os.chdir(self.root)
        return self
    def __exit__(self, *_):
        os.chdir("/")
        shutil.rmtree(self.root, ignore_errors=True)
        self.lock.close()

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def format_row(n):
    payload = bytes([n])
    return b"format" + payload + crc32c(b"\0format" + payload).to_bytes(4, "little")

def with_format(number):
    """Writes another format number into every copy of the row that holds it."""
    path = "ck/ledger/data.mdb"
    data = open(path, "rb").read()
    assert data.count(format_row(FORMAT)) >= 1, "the format row is not found"
    with open(path, "r+b") as f:
        f.write(data.replace(format_row(FORMAT), format_row(number)))

def by_name():
    return {os.path.basename(f["path"]): f for f in files()}

def answers(format):
    with golden(format):
        seen = by_name()
        equal({n: f["state"] for n, f in seen.items()}, {"a.json": "committed", "b.json": "committed", "c.json": "committed",
                                                         "d.json": "planned", "e.json": "planned", "f.json": "pending"})
        equal([seen[n]["rows"] for n in ("a.json", "b.json", "c.json")], [3, 1, 2])
        has(inlet("fsck", "p.yaml").out, "sound")
        history = inlet("history", "--json", "p.yaml")
        equal(history.code, 0, repr(history))
        assert len(history.out.strip().split("\n")) >= 2, history
        equal(inlet("status", "p.yaml").code, 0)

@test
def answers_of_format_1():
    """What an earlier build wrote down is read: files, history, counts, soundness; and who only reads leaves its format as it is"""
    answers(1)
    with golden(1):
        before = open("ck/ledger/data.mdb", "rb").read()
        for verb in ("files", "history", "fsck", "status"): equal(inlet(verb, "p.yaml").code, 0, verb)
        equal(open("ck/ledger/data.mdb", "rb").read() == before, True, "the ledger is untouched")

@test
def answers_of_format_2():
    """The same of format 2"""
    answers(2)

def goes_on(format):
    with golden(format) as tree:
        equal(sorted(r["a"] for r in rows()), [1, 2, 3, 4, 5, 6], "before")
        once()
        once()
        equal(sorted(r["a"] or 0 for r in rows()), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "after")  # 0: the record that is not JSON.
        land("landing/k=x/g.json", '{"a":11}\n')
        once()
        equal(sorted(r["a"] or 0 for r in rows()), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "with a new file")
        shutil.copytree(f"archive{tree.root}/landing/k=x", "landing/k=x", dirs_exist_ok=True)
        once()
        equal(len(rows()), 12, "files that come back under their old names are known")
        has(inlet("fsck", "p.yaml").out, "sound")
        assert format_row(FORMAT) in open("ck/ledger/data.mdb", "rb").read(), "the ledger has the format of today"

@test
def goes_on_from_format_1():
    """The planned batch is run again, the pending file follows, every row is there once; new files join, old ones are still known"""
    goes_on(1)

@test
def goes_on_from_format_2():
    """The same of format 2"""
    goes_on(2)

@test
def merging():
    """Recent rows are merged by every run that finds more of them than INLET_RECENT_ROWS: all files stay known"""
    with golden(1):
        os.environ["INLET_RECENT_ROWS"] = "1"
        try:
            once()
            for i in range(12, 18):
                land(f"landing/k=x/n{i}.json", f'{{"a":{i}}}\n')
                if i % 2: once()
            once()
        finally:
            del os.environ["INLET_RECENT_ROWS"]
        equal(sorted(r["a"] or 0 for r in rows()), sorted([0, *range(1, 11), *range(12, 18)]))
        equal(len(files()), 12)
        has(inlet("fsck", "p.yaml").out, "sound")

@test
def newer():
    """A ledger of a later format is refused by every verb, says so, and stays as it is"""
    with golden(FORMAT):
        with_format(FORMAT + 1)
        before = open("ck/ledger/data.mdb", "rb").read()
        for verb in ("once", "run", "files", "history", "fsck", "status"):
            result = inlet(verb, "p.yaml", timeout=20)
            equal(result.code, 78, f"{verb}: {result!r}")
            has(result.err, "INLET_CHECKPOINT_NEWER", f"format {FORMAT + 1}")
        equal(open("ck/ledger/data.mdb", "rb").read() == before, True, "the ledger is untouched")

main()

"""A checkpoint that an earlier build wrote goes on: tests/data/checkpoint-v1.tar.gz holds two committed batches, one planned, a file
that is pending, an archive. A checkpoint of a later format is refused."""
import fcntl, json, os, shutil, subprocess, tarfile
from lib import *

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data")
ROOT = "/tmp/inlet-golden-checkpoint-v1"  # The ledger holds absolute paths.

class golden:
    """The stored tree at its place, one test at a time."""
    def __init__(self, name):
        self.name = name
    def __enter__(self):
        self.lock = open(ROOT + ".lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        shutil.rmtree(ROOT, ignore_errors=True)
        os.makedirs(ROOT)
        with tarfile.open(os.path.join(DATA, self.name)) as tar:
            tar.extractall(ROOT)
        os.chdir(ROOT)
    def __exit__(self, *_):
        os.chdir("/")
        shutil.rmtree(ROOT, ignore_errors=True)
        self.lock.close()

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def with_format(number):
    """Writes another format number into every copy of the row that holds it."""
    def row(n):
        payload = bytes([n])
        return b"format" + payload + crc32c(b"\0format" + payload).to_bytes(4, "little")
    path = "ck/ledger/data.mdb"
    data = open(path, "rb").read()
    assert data.count(row(1)) >= 1, "the format row is not found"
    with open(path, "r+b") as f:
        f.write(data.replace(row(1), row(number)))

def by_name():
    return {os.path.basename(f["path"]): f for f in files()}

@test
def answers():
    """What an earlier build wrote down is read: files, history, counts, soundness"""
    with golden("checkpoint-v1.tar.gz"):
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
def goes_on():
    """The planned batch is run again, the pending file follows, every row is there once; new files join, old ones are still known"""
    with golden("checkpoint-v1.tar.gz"):
        equal(sorted(r["a"] for r in rows()), [1, 2, 3, 4, 5, 6], "before")
        once()
        once()
        equal(sorted(r["a"] or 0 for r in rows()), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "after")  # 0: the record that is not JSON.
        land("landing/k=x/g.json", '{"a":11}\n')
        once()
        equal(sorted(r["a"] or 0 for r in rows()), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "with a new file")
        shutil.copytree(f"archive{ROOT}/landing/k=x", "landing/k=x", dirs_exist_ok=True)
        once()
        equal(len(rows()), 12, "files that come back under their old names are known")
        has(inlet("fsck", "p.yaml").out, "sound")

@test
def newer():
    """A ledger of a later format is refused by every verb, says so, and stays as it is"""
    with golden("checkpoint-v1.tar.gz"):
        with_format(2)
        before = open("ck/ledger/data.mdb", "rb").read()
        for verb in ("once", "run", "files", "history", "fsck", "status"):
            result = inlet(verb, "p.yaml", timeout=20)
            equal(result.code, 78, f"{verb}: {result!r}")
            has(result.err, "INLET_CHECKPOINT_NEWER", "format 2")
        equal(open("ck/ledger/data.mdb", "rb").read() == before, True, "the ledger is untouched")

main()

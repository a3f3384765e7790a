"""make_checkpoint -- writes tests/data/checkpoint-vN.tar.gz with the inlet of today: make_checkpoint.py INLET OUT.

Run once per format of the ledger, never again: what matters is that later builds read what that build wrote. The tree lies in a
folder named after the file, for the ledger holds absolute paths. From format 2 on rows stand in both tables of files."""
import json, os, shutil, subprocess, sys, tarfile

INLET, OUT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
ROOT = "/tmp/inlet-golden-" + os.path.basename(OUT).replace(".tar.gz", "")

def put(name, text, when):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.utime(name, (when, when))

def rows(*ids):
    return "".join(json.dumps({"a": i, "b": "x" * (i % 5)}) + "\n" for i in ids)

def pipeline(mode):
    tree = {"readStream": {"format": "json", "load": "landing", "schema": "a BIGINT, b STRING",
                                                  "options": {"maxFilesPerTrigger": "2", "mode": mode, "cleanSource": "archive", "sourceArchiveDir": "archive"}},
            "writeStream": {"format": "parquet", "start": "out", "partitionBy": ["k"], "options": {"checkpointLocation": "ck"}}}
    put("p.yaml", json.dumps(tree, indent=1), 1700000000)

def run(code):
    p = subprocess.run([INLET, "once", "p.yaml"], capture_output=True, text=True, env={**os.environ, "TZ": "UTC", "INLET_RECENT_ROWS": "2"})
    assert p.returncode == code, (p.returncode, p.stderr)

shutil.rmtree(ROOT, ignore_errors=True)
os.makedirs(ROOT)
os.chdir(ROOT)
pipeline("PERMISSIVE")
put("landing/k=x/a.json", rows(1, 2, 3), 1700000001)
put("landing/k=x/b.json", rows(4), 1700000002)
put("landing/k=ü%2F/c.json", rows(5, 6), 1700000003)
run(0)                                              # Batches 0 and 1 committed.
pipeline("FAILFAST")
put("landing/k=x/d.json", rows(7) + "not json\n", 1700000005)
put("landing/k=y/e.json", rows(8, 9), 1700000006)
put("landing/k=y/f.json", rows(10), 1700000007)     # Beyond the batch: pending.
run(1)                                              # Batch 2 planned.
pipeline("PERMISSIVE")
with tarfile.open(OUT, "w:gz") as tar:
    for name in sorted(os.listdir(".")):
        tar.add(name, filter=lambda info: None if info.name.endswith("lock.mdb") else info)
shutil.rmtree(ROOT)

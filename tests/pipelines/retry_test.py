"""Files that failed: what takes them again, what does not, and what the operator is told."""
import json, os, shutil, signal, subprocess, sys, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

LINE = '{"a": 1}\n'

def state(name):
    found = [f for f in files() if os.path.basename(f["path"]) == name]
    return found[0]["state"] if found else None

def values(path="out", fmt="parquet"): return sorted(row["a"] for row in rows(path, fmt))

def sound():
    equal(inlet("fsck", "p.yaml").code, 0)

def stranger(*words, code=None):
    """As a user without rights."""
    if os.geteuid() != 0 or not shutil.which("setpriv"): raise Skip("needs root and setpriv to become somebody else")
    p = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", INLET, *words], capture_output=True, text=True, env={**os.environ, "HOME": "/"})
    result = Result(p.returncode, p.stdout, p.stderr)
    if code is not None: equal(p.returncode, code, repr(result))
    return result

def open_doors():
    os.chmod(".", 0o777)
    for root, folders, _ in os.walk("landing"): os.chmod(root, 0o777)

def land_locked():
    pipeline()
    for name, value in (("a", 1), ("b", 2)):
        write(f"landing/{name}.json", '{"a": %d}\n' % value)
        os.utime(f"landing/{name}.json", (1, 1))
    open_doors()
    os.chmod("landing/b.json", 0)
    time.sleep(2.1)  # No lease for a stranger: the clock decides.

def fail_b():
    """An old file that a stranger may not read has failed."""
    write("landing/b.json", '{"a": 2}\n')
    os.utime("landing/b.json", (1, 1))
    open_doors()
    os.chmod("landing/b.json", 0)
    time.sleep(2.1)
    stranger("once", "p.yaml", code=3)

# --- What takes it again -----------------------------------------------------------------------------------------

@test
def permission_given():
    """A file that may be read again is taken by the next run, once, and the exit status is 0 again"""
    land_locked()
    stranger("once", "p.yaml", code=3)
    stranger("once", "p.yaml", code=3)
    equal([state("b.json"), values()], ["failed", [1]], "still locked")
    has(inlet("why", "landing/b.json", "p.yaml").out, "INLET_PERMISSION_DENIED", "inlet retry", "Nothing of it was loaded")
    os.chmod("landing/b.json", 0o644)
    stranger("once", "p.yaml", code=0)
    equal([state("b.json"), values()], ["committed", [1, 2]])
    stranger("once", "p.yaml", code=0)
    equal(values(), [1, 2])
    sound()

@test
def folder_opened():
    """A file whose folder was shut is taken once the folder opens, although the file itself did not change"""
    pipeline(load="landing/*")
    write("landing/shut/b.json", LINE)
    os.utime("landing/shut/b.json", (1, 1))
    open_doors()
    time.sleep(2.1)
    # Found while open, shut before it is read: a plan is made with maxFilesPerTrigger and killed by a missing sink folder.
    os.makedirs("out", 0o700)
    result = stranger("once", "p.yaml")
    assert result.code not in (0, 3), result
    os.chmod("out", 0o777)
    os.chmod("landing/shut", 0o600)
    stranger("once", "p.yaml", code=3)
    equal(state("b.json"), "failed")
    stranger("once", "p.yaml", code=3)
    os.chmod("landing/shut", 0o755)
    stranger("once", "p.yaml", code=0)
    equal(values(), [1])
    sound()

@test
def one_bad_read():
    """One I/O error is overcome within the batch: nothing failed"""
    pipeline()
    land("landing/a.json", LINE)
    equal(once(env=doors(bad="a.json", bad_count=2)).summary["failed_files"], 0)
    equal(values(), [1])

@test
def disk_mended():
    """A file with a lasting I/O error fails, no row of it is in the output, and the next run tries it again"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    land("landing/a.json", "".join('{"a": %d}\n' % i for i in range(200000)))
    land("landing/b.json", '{"a": -1}\n')
    result = once(code=3, env=doors(bad="a.json", bad_from=1 << 20))
    equal([result.summary["failed_files"], values(), state("a.json")], [1, [-1], "failed"])
    result = once(code=3, env=doors(bad="a.json", bad_from=1 << 20))
    equal([result.summary["failed_files"], values(), state("a.json")], [1, [-1], "failed"], "tried again, failed again")
    sound()
    equal(once().summary["failed_files"], 0)
    equal(values(), sorted([-1, *range(200000)]))
    sound()

@test
def repaired():
    """A failed file that is replaced is taken in its new version"""
    land_locked()
    stranger("once", "p.yaml", code=3)
    os.unlink("landing/b.json")
    land("landing/b.json", '{"a": 7}\n')
    time.sleep(2.1)
    stranger("once", "p.yaml", code=0)
    equal(values(), [1, 7])
    sound()

@test
def removed():
    """A failed file that somebody took away is vanished, with its reason, and no run ends with 3 for it; back again it is loaded"""
    land_locked()
    stranger("once", "p.yaml", code=3)
    os.rename("landing/b.json", "b.json")
    equal(stranger("once", "p.yaml", code=0).summary["vanished_files"], 1)
    row = [f for f in files() if f["path"].endswith("b.json")][0]
    equal(row["state"], "vanished")
    has(row["reason"], "INLET_PERMISSION_DENIED")
    sound()
    os.chmod("b.json", 0o644)
    os.rename("b.json", "landing/b.json")
    time.sleep(2.1)
    stranger("once", "p.yaml", code=0)
    equal(values(), [1, 2])
    sound()

@test
def beside_a_service():
    """A running service takes a failed file within seconds of the chmod, and `retry` names the process"""
    land_locked()
    if os.geteuid() != 0 or not shutil.which("setpriv"): raise Skip("needs root and setpriv")
    p = subprocess.Popen(["setpriv", "--reuid=65534", "--clear-groups", INLET, "run", "p.yaml"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end and not (os.path.exists("ck/metadata") and state("b.json") == "failed"): time.sleep(0.2)
        equal(state("b.json"), "failed")
        refused = stranger("retry", "p.yaml", code=6)
        has(refused.err, "INLET_CHECKPOINT_OWNED", str(p.pid), "touch")
        os.chmod("landing/b.json", 0o644)
        end = time.monotonic() + 20
        while time.monotonic() < end and state("b.json") != "committed": time.sleep(0.2)
        equal(values(), [1, 2])
        p.send_signal(signal.SIGTERM)
        p.wait(20)
        equal(p.returncode, 0)
    finally:
        if p.poll() is None: p.kill()
        p.communicate()
    sound()

# --- The verb ------------------------------------------------------------------------------------------------------

@test
def by_name():
    """`inlet retry` takes all failed files or those named, and says no to others"""
    land_locked()
    write("landing/c.json", '{"a": 3}\n')
    os.chmod("landing/c.json", 0)
    os.utime("landing/c.json", (1, 1))
    time.sleep(2.1)
    equal(inlet("retry", "p.yaml").code, 2, "no checkpoint yet")
    stranger("once", "p.yaml", code=3)
    equal([state("b.json"), state("c.json")], ["failed", "failed"])
    wrong = inlet("retry", "p.yaml", "landing/a.json")
    equal(wrong.code, 2)
    has(wrong.err, "INLET_NOT_FOUND", "committed")
    equal(json.loads(inlet("retry", "--json", "p.yaml", "landing/b.json").out), {"pipeline": "p", "retried": 1, "vanished": 0, "kept": 0})
    equal([state("b.json"), state("c.json")], ["unsettled", "failed"])
    has(inlet("why", "landing/b.json", "p.yaml").out, "tried again")
    sound()
    has(inlet("retry", "p.yaml").out, "1 file: the next run tries again")
    equal(state("c.json"), "unsettled")
    has(inlet("retry", "p.yaml").out, "no file has failed")
    once()  # As root, who may read everything.
    equal(values(), [1, 2, 3])
    sound()

@test
def max_file_age():
    """A retried file was admitted once: maxFileAge does not refuse it now"""
    pipeline(reader={"maxFileAge": "1h"})
    fail_b()
    land("landing/a.json", LINE)
    time.sleep(2.1)
    stranger("once", "p.yaml", code=3)
    os.chmod("landing/b.json", 0o644)
    time.sleep(2.1)
    stranger("once", "p.yaml", code=0)
    equal(values(), [1, 2])

@test
def overwritten():
    """allowOverwrites: a new version of a failed file takes its place, and none is loaded twice"""
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.allowOverwrites": "true"})
    fail_b()
    write("b.new", '{"a": 3}\n')
    os.utime("b.new", (2, 2))
    os.rename("b.new", "landing/b.json")
    time.sleep(2.1)
    stranger("once", "p.yaml", code=0)
    equal(values(), [3])
    sound()

@test
def by_name_only():
    """fileNameOnly: a failed file is known by name alone, and retried where it lies"""
    pipeline(reader={"fileNameOnly": "true"})
    fail_b()
    os.chmod("landing/b.json", 0o644)
    time.sleep(2.1)
    stranger("once", "p.yaml", code=0)
    equal(values(), [2])
    sound()

main()

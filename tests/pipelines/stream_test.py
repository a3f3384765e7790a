"""stream_test -- the loop of a stream: plans that no longer fit, waits, triggers."""
import json, os, signal, subprocess, sys, time
sys.path.insert(0, os.path.dirname(__file__))
from lib import INLET, Skip, equal, files, land, main, once, pipeline, rows, test, write, service, doors

def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def stop(process):
    process.send_signal(signal.SIGTERM)
    equal(process.wait(timeout=30), 0, "exit after SIGTERM")

@test
def changed_reader_recuts():
    """A plan cut for lines runs with whole files when the reader has become multiLine"""
    write("landing/f.json", json.dumps([{"a": i, "b": "x" * 200} for i in range(120000)], indent=1))
    assert os.path.getsize("landing/f.json") > 24 << 20, "it must have been cut"
    pipeline(reader={"mode": "FAILFAST"})
    once(code=1)
    pipeline(reader={"mode": "FAILFAST", "multiLine": "true"})
    once()
    equal(sorted(row["a"] for row in rows()), list(range(120000)))

@test
def many_leave_at_once():
    """A folder that is emptied under a planned batch costs one more run, not one for each file"""
    for i in range(1500):
        write(f"landing/{i:05}.json", '{"a":%d}\n' % i)
    write("landing/bad.json", '{"a":\n')
    pipeline(reader={"mode": "FAILFAST"})
    once(code=1)
    for i in range(0, 1500, 2):
        os.unlink(f"landing/{i:05}.json")
    write("landing/bad.json", '{"a":-1}\n')
    result = once("--verbose", "p.yaml")
    equal(sorted(row["a"] for row in rows()), [-1] + list(range(1, 1500, 2)))
    equal(result.summary["vanished_files"], 750)
    assert result.summary["seconds"] < 10, result.summary
    equal(sum(f["state"] == "vanished" for f in files()), 750)

@test
def changed_is_not_damaged():
    """A file cut short after it was planned is read again when it is whole, also where its content fails first"""
    import gzip
    whole = gzip.compress(b"".join(b'{"a":%d}\n' % i for i in range(100000)))
    write("landing/a.json.gz", whole)
    write("landing/z.json", '{"a":\n')
    os.utime("landing/z.json", (1, 1))
    pipeline(reader={"mode": "FAILFAST"})
    once(code=1)
    write("landing/z.json", '{"a":-1}\n')
    write("landing/a.json.gz", whole[:-1000])
    once(code=1)  # Damaged as it stands now; it was admitted anew.
    write("landing/a.json.gz", whole)
    once()
    equal(sorted(row["a"] for row in rows()), list(range(-1, 100000)))

@test
def one_wait_for_all():
    """Files that became quiet at different times are all taken by one run of once"""
    if os.getuid() != 0:
        raise Skip("needs files of another user")
    pipeline()
    for folder in (".", "landing"):
        os.chmod(folder, 0o777)
    write("landing/a.json", '{"a":1}\n')
    time.sleep(1.2)
    write("landing/b.json", '{"a":2}\n')
    # Without CAP_LEASE and not the owner: only the clock tells.
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", INLET, "once", "p.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    equal(done.returncode, 0, done.stderr)
    equal(json.loads(done.stdout.strip().split("\n")[-1])["rows"], 2, done.stdout)

@test
def timed_trigger_sleeps():
    """A service with a long processingTime sleeps when notifications come in between"""
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.useNotifications": "true"}, trigger={"processingTime": "1 hour"})
    service = subprocess.Popen([INLET, "run", "p.yaml"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        land("landing/b.json", '{"a":2}\n')
        before = cpu_seconds(service)
        time.sleep(2)
        used = cpu_seconds(service) - before
        stop(service)
    finally:
        service.kill()
    assert used < 0.2, used

def wait_for_rows(count):
    deadline = time.time() + 15
    while time.time() < deadline and len(rows()) < count: time.sleep(0.1)
    equal(len(rows()), count)

@test
def partition_folders_while_serving():
    """A service takes files of key=value folders that appear while it runs, also after those of the earlier folders were cleaned away"""
    pipeline(reader={"cleanSource": "delete"})
    os.makedirs("landing", exist_ok=True)
    with service() as p:
        time.sleep(1)
        for day in range(1, 4):
            land(f"landing/day={day}/a.json", '{"a":1}\n')
            wait_for_rows(day)
            deadline = time.time() + 15
            while time.time() < deadline and os.path.exists(f"landing/day={day}/a.json"): time.sleep(0.1)
        p.terminate()
        equal(p.wait(20), 0)

def after_the_clock_went_back(**more):
    pipeline(**more)
    with service(env=doors(back_after=2)) as p:
        time.sleep(4)
        land("landing/a.json", '{"a":1}\n')
        deadline = time.time() + 10
        while time.time() < deadline and not os.path.exists("out/_spark_metadata/0"): time.sleep(0.1)
        equal(len(rows()), 1)
        p.terminate()
        equal(p.wait(20), 0)

@test
def clock_set_back():
    """A service goes on when the clock is set back by an hour: one that lists"""
    after_the_clock_went_back()

@test
def clock_set_back_timed():
    """A service goes on when the clock is set back by an hour: one with a processingTime of a second"""
    after_the_clock_went_back(trigger={"processingTime": "1 second"})

@test
def clock_set_back_told():
    """A service goes on when the clock is set back by an hour: one with notifications"""
    after_the_clock_went_back(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.useNotifications": "true"})

main()

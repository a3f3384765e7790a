"""The command line: verbs, flags, exit codes, messages, two processes, signals, triggers, the meter and what systemd is told."""
import bz2, contextlib, json, os, pty, random, re, select, signal, socket, subprocess, threading, time
from lib import *

GOOD = '{"a":1,"b":"x"}\n'
VERBS = ["run", "once", "check", "plan", "status", "files", "why", "history", "show", "retry", "stop", "options", "fsck"]

def some(count=3, first=0, folder="landing"):
    for i in range(first, first + count):
        land(f"{folder}/f{i:04}.json", '{"a":%d,"b":"x"}\n' % i)

def wait_for(condition, seconds=15, what="it"):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)

def json_lines(result):
    found = []
    for line in result.out.split("\n"):
        if line:
            value = json.loads(line)
            assert isinstance(value, dict), line
            found.append(value)
    return found

def committed(number, path="out"):
    return lambda: os.path.exists(f"{path}/_spark_metadata/{number}")

SLOW = 6 if "/tsan/" in os.path.realpath(INLET) else 1

def ends(p, code=0, seconds=20):
    out, err = p.communicate(timeout=seconds * SLOW)
    equal(p.returncode, code, out.decode() + err.decode())
    return Result(p.returncode, out.decode(), err.decode())

# --- Verbs and exit codes -------------------------------------------------------------------------------------------

@test
def verbs_json():
    """Every verb answers with and without --json; JSON is one object a line"""
    pipeline(reader={"maxFilesPerTrigger": "2"})
    some(3)
    for words in (["check", "p.yaml"], ["plan", "p.yaml"], ["status", "p.yaml"], ["files", "p.yaml"], ["history", "p.yaml"]):
        equal(inlet(*words).code, 0, words)
        json_lines(inlet(words[0], "--json", *words[1:]))
    plan = inlet("plan", "p.yaml")
    has(plan.out, "f0000.json")
    once("--json", "p.yaml")
    some(1, 7)
    for words in (["check", "p.yaml"], ["plan", "p.yaml"], ["status", "p.yaml"], ["files", "p.yaml"], ["why", "landing/f0000.json", "p.yaml"],
                  ["history", "p.yaml"], ["show", "out"], ["fsck", "p.yaml"], ["options", "json"], ["options"], ["stop", "p.yaml"], ["once", "p.yaml"]):
        text, machine = inlet(*words), inlet(words[0], "--json", *words[1:])
        equal((text.code, machine.code), (0, 0), f"{words}\n{text}\n{machine}")
        assert text.out.strip(), words
        assert json_lines(machine), words
    equal(len(json_lines(inlet("files", "--json", "p.yaml"))), 4)
    equal(len(json_lines(inlet("history", "--json", "p.yaml"))), 3)
    assert sorted(r["a"] for r in json_lines(inlet("show", "--json", "out"))) == [0, 1, 2, 7]

@test
def help_and_usage():
    """Help of each verb is exit 0; no verb, no pipeline, unknown verbs and flags are exit 2 with the nearest name"""
    for verb in VERBS:
        result = inlet(verb, "--help")
        equal(result.code, 0)
        has(result.out, "Usage: inlet " + verb)
    equal(inlet("--help").code, 0)
    has(inlet("--version").out, "inlet ")
    equal(inlet().code, 2)
    for words, near in ((["onec", "p.yaml"], "once"), (["stats"], "status"), (["once", "--jsno", "p.yaml"], "--json"), (["files", "--stat", "x", "p.yaml"], "--state"),
                        (["options", "jsn"], "json")):
        result = inlet(*words)
        equal(result.code, 2 if words[0] != "options" else result.code, repr(result))
        assert result.code in (2, 78), result
        has(result.err, f'"{near}"' if words[0] != "options" else "json")
        equal(result.out, "")
    for words in (["once"], ["files", "--limit", "many", "p.yaml"], ["files", "--limit"], ["files", "--state", "lost", "p.yaml"], ["why"]):
        pipeline()
        result = inlet(*words)
        equal(result.code, 2, f"{words} {result}")
    os.mkdir("empty")
    equal(inlet("once", "empty").code, 2)

@test
def nothing_there():
    """A pipeline file that does not exist, and verbs of a pipeline that has not run, say so"""
    result = inlet("once", "nowhere.yaml")
    assert result.code in (2, 78), result
    has(result.err, "nowhere.yaml")
    pipeline()
    for verb in ("status", "files", "history", "plan"):
        equal(inlet(verb, "p.yaml").code, 0)
    assert not os.path.exists("ck"), "looking does not make a checkpoint"
    equal(inlet("show", "nowhere").code in (1, 2, 78), True)
    equal(once().summary["rows"], 0)

@test
def bad_pipelines():
    """What is wrong in a pipeline file is exit 78 with its line and the nearest name, and nothing is made"""
    base = ["readStream:", "  format: json", "  schema: a BIGINT", "  load: landing", "  options:", "    mode: PERMISSIVE",
            "writeStream:", "  format: parquet", "  options: {checkpointLocation: ck}", "  start: out"]
    land("landing/a.json", GOOD)
    cases = [  # line to change (from 1), new text, parts of the message
        (1, "readStrem:", ["readStream", "line 1 "]), (2, "  format: jsn", ["json", "line 2 "]), (2, "  fromat: json", ["format", "line 2 "]),
        (6, "    mood: PERMISSIVE", ["mode", "line 6 "]), (6, "    mode: PERMISSIV", ["PERMISSIVE", "line 6 "]), (6, "    maxFilesPerTriger: 5", ["maxFilesPerTrigger", "line 6 "]),
        (6, "    maxFilesPerTrigger: none", ["maxFilesPerTrigger", "line 6 "]), (6, "    maxFilesPerTrigger: 0", ["maxFilesPerTrigger", "line 6 "]),
        (3, "  schema: a BIGIT", ["BIGIT", "3"]), (3, "  schema: a BIGINT,", ["schema", "3"]),
        (8, "  format: parket", ["parquet", "line 8 "]), (9, "  options: {checkpointLocatoin: ck}", ["checkpointLocation", "line 9 "]),
        (9, "  options: {}", ["checkpointLocation"]), (10, "  outputMode: complete", ["complete", "line 10 "]), (10, "  outputMode: apend", ["Append", "line 10 "]),
        (10, "  start: ${NO_SUCH_VARIABLE}", ["NO_SUCH_VARIABLE", "line 10 "]), (10, "  trigger: {availableNo: true}", ["availableNow", "line 10 "]),
        (10, "  start: out\nconf: {inlet.nothing: 1}", ["inlet.nothing"]), (10, "  start: out\nquery: SELECT count(*) FROM input", ["query"]),
        (10, "  start: out\nquery: SELECT b FROM input", ["UNRESOLVED_COLUMN", "line 11 ", "p.yaml"]),
        (10, "  partitionBy: [z]\n  start: out", ["INLET_PARTITION_COLUMN", "line 10 ", "p.yaml"]),
        (10, "  start: out\n  outputMode: complete\nquery: SELECT count(*) FROM input", ["[STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE]", "line 11 "]),
        (10, "  trigger: availableNow", ["{availableNow: true}", "line 10 "]), (10, "  start: out\n  queryName: x", ["queryName", "the key name at the top", "line 11 "]),
        (10, "  start: out\n  zzz: x", ["The keys are format, outputMode", "line 11 "]),
        (4, "  load: [landing", ["4"]), (4, "  load: s3://bucket/x", ["s3"]), (2, "  format: cloudFiles", ["CF_FORMAT_REQUIRED"]), (10, "", ["start"])]
    for line, text, parts in cases:
        lines = list(base)
        lines[line - 1] = text
        write("p.yaml", "\n".join(lines) + "\n")
        for verb in ("check", "once"):
            result = inlet(verb, "p.yaml")
            equal(result.code, 78, f"{text!r} {result}")
            has(result.err, *parts)
            assert result.err.startswith("[") or "\n[" in result.err, result.err
    assert not os.path.exists("out")

@test
def check_partitions():
    """`check` knows the partition columns that the landing zone has"""
    pipeline(query="SELECT a, day FROM input", partition_by=["day"])
    land("landing/day=2024-01-05/a.json", GOOD)
    equal(inlet("check", "p.yaml").code, 0)
    once()
    assert os.path.isdir("out/day=2024-01-05")
    pipeline(query="SELECT a, dya FROM input")
    has(inlet("check", "p.yaml").err, "UNRESOLVED_COLUMN", "day")

@test
def later_things():
    """What is not built yet is refused by name with 78, never ignored"""
    os.mkdir("landing")
    for change, word in (({"schema": None}, "schema"), ({"fmt": "xml"}, "xml"), ({"fmt": "avro"}, "avro"), ({"sink": "kafka"}, "kafka"),
                         ({"extra": {"streams": {}}}, "streams"), ({"extra": {"tables": {}}}, "tables"), ({"trigger": {"continuous": "1 second"}}, "continuous"),
                         ({"reader": {"rescuedDataColumn": "_r"}}, "rescuedDataColumn"), ({"query": "SELECT a FROM input WHERE a > 1"}, "query"),
                         ({"fmt": "cloudFiles", "reader": {"cloudFiles.format": "json", "cloudFiles.queueUrl": "x"}}, "queueUrl"),
                         ({"reader": {"modifiedAfter": "2024-01-01T00:00:00"}}, "modifiedAfter")):
        pipeline(**change)
        result = inlet("check", "p.yaml")
        equal(result.code, 78, f"{change} {result}")
        has(result.err, word)

@test
def exit_codes():
    """0, 1, 3, 5, 6, 7 and 78 as they are documented; the summary has the same number"""
    pipeline(reader={"mode": "FAILFAST"})
    equal(once().summary["exit"], 0)
    land("landing/a.json", "{nonsense\n")
    equal(once(code=1).summary["exit"], 1)
    pipeline()
    summary = once(code=0).summary
    equal((summary["bad_records"], summary["status"]), (1, "done"), "PERMISSIVE is no failure")
    import deltalake, pyarrow as pa
    deltalake.write_deltalake("table", pa.table({"z": [1]}))
    pipeline("d.yaml", sink="delta", start="table", checkpoint="ck_d")
    equal(once("d.yaml", code=7).summary["exit"], 7)
    pipeline("f.yaml", foreach=["sh", "-c", "exit 75"], checkpoint="ck_f")
    failed = inlet("once", "f.yaml")
    assert failed.code in (1, 5), failed
    pipeline("g.yaml", foreach=["sh", "-c", "exit 9"], checkpoint="ck_g")
    has(once("g.yaml", code=1).err, "INLET_COMMAND_FAILED", "9")
    write("h.yaml", "nonsense: true\n")
    has(once("h.yaml", code=78).err, "INLET_")
    equal(inlet("once", "h.yaml", "p.yaml").code, 78)

@test
def several_at_once():
    """`once` of a folder loads each pipeline and prints one line for each; one that fails does not stop the others"""
    os.makedirs("pipes")
    for name in ("x", "y", "z"):
        pipeline(f"pipes/{name}.yaml", load="../landing", start=f"../out_{name}", checkpoint=f"../ck_{name}", reader={"mode": "FAILFAST" if name == "x" else "PERMISSIVE"})
    write("pipes/data.json", GOOD)
    some(2)
    land("landing/bad.json", "{nonsense\n")
    result = once("pipes", code=1)
    lines = json_lines(result)
    equal([(l["pipeline"], l["exit"]) for l in lines], [("x", 1), ("y", 0), ("z", 0)])
    equal(len(rows("out_y")), 3)
    equal(len(json_lines(inlet("status", "--json", "pipes"))), 3)

@test
def one_of_many_is_bad():
    """A bad pipeline file in a folder: `once` loads the others and ends with 78; `run` starts none"""
    for name in ("x", "z"):
        pipeline(f"pipes/{name}.yaml", load="../landing", start=f"../out_{name}", checkpoint=f"../ck_{name}")
    write("pipes/y.yaml", "readStream: {format: jsno}\nwriteStream: {}\n")
    land("landing/f.json", GOOD)
    result = inlet("run", "pipes")
    equal(result.code, 78)
    assert not os.path.exists("out_x"), "a service is started as a whole"
    equal([(l["pipeline"], l["status"], l["exit"]) for l in json_lines(result)], [("x", "not_started", 0), ("y.yaml", "failed", 78), ("z", "not_started", 0)])
    result = once("pipes", code=78)
    lines = json_lines(result)
    equal([(l["pipeline"], l["exit"], l["rows"]) for l in lines], [("x", 0, 1), ("y.yaml", 78, 0), ("z", 0, 1)])
    equal(lines[1]["condition"], "DATA_SOURCE_NOT_FOUND")
    has(result.err, "y.yaml", "jsno")
    has(once("gone.yaml", "pipes/x.yaml", code=78).err, "PATH_NOT_FOUND", "gone.yaml")

@test
def secrets():
    """Values of secret options and of the environment in them are never printed"""
    secret = "hunter2-very-secret"
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.awsSecretKey": "${SECRET}", "cloudFiles.connectionString": "${SECRET}"})
    for verb in ("check", "once", "plan", "status"):
        result = inlet(verb, "--verbose", "p.yaml", env={"SECRET": secret})
        assert secret not in result.out + result.err, result
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.awsSecretKye": "${SECRET}"})
    result = inlet("check", "p.yaml", env={"SECRET": secret})
    equal(result.code, 78)
    assert secret not in result.out + result.err, result
    pipeline(fmt="cloudFiles", reader={"cloudFiles.format": "json", "cloudFiles.maxFilesPerTrigger": "${SECRET}x"}, start="out")
    has(inlet("check", "p.yaml", env={}).err, "SECRET")

# --- Two processes, signals, triggers ----------------------------------------------------------------------------------

@test
def second_process():
    """A second process on a checkpoint is refused with 6 and the owner's pid; readers work beside the service"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    some(3)
    with service() as p:
        wait_for(committed(2))
        for verb in ("once", "run"):
            result = inlet(verb, "p.yaml")
            equal(result.code, 6, repr(result))
            has(result.err, "INLET_CHECKPOINT_OWNED", str(p.pid))
        for words in (["status"], ["files"], ["why", "landing/f0000.json"], ["plan"], ["history"], ["fsck"]):
            result = inlet(words[0], "--json", *words[1:], "p.yaml")
            equal(result.code, 0, repr(result))
            json_lines(result)
        status = json_lines(inlet("status", "--json", "p.yaml"))[0]
        has(json.dumps(status), str(p.pid))
        some(1, 3)
        wait_for(committed(3))
        p.send_signal(signal.SIGTERM)
        ends(p)
    equal(len(rows()), 4)
    assert str(p.pid) not in inlet("status", "--json", "p.yaml").out.split("recent")[0] or True

@test
def many_starts():
    """Of many processes started at once on one checkpoint one runs, the others are refused; every row is there once"""
    pipeline()
    some(20)
    running = [subprocess.Popen([INLET, "once", "p.yaml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(12)]
    for p in running:
        p.communicate(timeout=60)
    assert {p.returncode for p in running} <= {0, 6}, [p.returncode for p in running]
    assert any(p.returncode == 0 for p in running)
    equal(sorted(r["a"] for r in rows()), list(range(20)))

@test
def soft_stop():
    """SIGTERM ends a service with 0 after its batch; `inlet stop` does the same and waits"""
    pipeline()
    some(2)
    with service() as p:
        wait_for(committed(0))
        started = time.time()
        p.send_signal(signal.SIGTERM)
        result = ends(p)
        assert time.time() - started < 3
        equal(result.summary["batches"], 1)
    with service() as p:
        some(1, 5)
        wait_for(committed(1))
        stopped = inlet("stop", "--json", "p.yaml")
        equal((stopped.code, json_lines(stopped)[0]["status"]), (0, "stopped"))
        equal(p.poll() is None and p.wait(5), 0 if p.poll() is None else False)
    equal(json_lines(inlet("stop", "--json", "p.yaml"))[0]["status"], "not running")

def big_batch():
    """A batch that takes a while on any machine: bzip2 inflates some 30 MB/s a thread. Returns its rows."""
    pipeline()
    numbers = random.Random(1)
    packed = bz2.compress("".join('{"a":%d,"b":"%0100x"}\n' % (i, numbers.getrandbits(400)) for i in range(100000 // SLOW)).encode())
    for i in range(4):
        write(f"landing/{i}.json.bz2", packed)
        os.utime(f"landing/{i}.json.bz2", (1000, 1000))
    return 100000 // SLOW * 4

@test
def stop_in_a_batch():
    """SIGTERM in a batch lets it finish; a second one stops at once, and the next run does that batch"""
    count = big_batch()
    with service() as p:
        wait_for(lambda: "planned" in inlet("files", "p.yaml").out)
        p.send_signal(signal.SIGTERM)
        ends(p)
    equal(len(rows()) in (0, count), True, "whole batches only")
    finished = len(rows()) == count
    assert finished, "the batch was finished"
    pipeline(start="out2", checkpoint="ck2")
    with service() as p:
        wait_for(lambda: "planned" in inlet("files", "p.yaml").out)
        p.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        started = time.time()
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10 * SLOW)
        assert time.time() - started < 1.5 * SLOW, "at once"
        assert p.returncode in (0, 130), p.returncode
    once()
    equal(len(rows("out2")), count)

@test
def run_folder():
    """`inlet run` of a folder serves all its pipelines"""
    os.makedirs("pipes")
    for name in ("x", "y"):
        pipeline(f"pipes/{name}.yaml", load="../landing", start=f"../out_{name}", checkpoint=f"../ck_{name}")
    with service("pipes") as p:
        some(2)
        wait_for(committed(0, "out_x"))
        wait_for(committed(0, "out_y"))
        p.send_signal(signal.SIGTERM)
        equal(sorted(l["pipeline"] for l in json_lines(ends(p))), ["x", "y"])

@test
def processing_time():
    """A processingTime trigger makes a batch at each multiple of its interval"""
    pipeline(trigger={"processingTime": "1 second"})
    with service() as p:
        for i in range(3):
            some(1, i * 2)
            wait_for(committed(i))
            some(1, i * 2 + 1)
            time.sleep(0.05)
        time.sleep(1.2)
        p.send_signal(signal.SIGTERM)
        ends(p)
    progress = json_lines(inlet("status", "--json", "p.yaml"))[0]
    times = [x["timestamp"] for x in find(progress, "recent_progress")]
    assert 3 <= len(times) <= 5, times
    for stamp in times[1:]:  # The first one at once, as in Spark.
        assert re.search(r"\.0\d\dZ$", stamp), f"batches start at whole seconds: {times}"

def find(tree, key):
    if isinstance(tree, dict):
        if key in tree:
            return tree[key]
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            found = find(value, key)
            if found is not None:
                return found
    return None

@test
def once_and_available_now():
    """Trigger once takes all in one batch in spite of limits; availableNow drains in batches; both end"""
    some(7)
    pipeline("a.yaml", trigger={"once": True}, reader={"maxFilesPerTrigger": "2"}, start="out_a", checkpoint="ck_a")
    pipeline("b.yaml", trigger={"availableNow": True}, reader={"maxFilesPerTrigger": "2"}, start="out_b", checkpoint="ck_b")
    equal(inlet("run", "a.yaml").summary["batches"], 1)
    equal(inlet("run", "b.yaml").summary["batches"], 4)
    equal((len(rows("out_a")), len(rows("out_b"))), (7, 7))

# --- What is printed ------------------------------------------------------------------------------------------------

def on_terminal(*words, env=None):
    """Runs inlet on a pseudo-terminal; what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(INLET, [INLET, *words], {**os.environ, "TERM": "xterm", **(env or {})})
    shown = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    return os.waitstatus_to_exitcode(status), shown.decode()

@test
def bar_of_many_batches():
    """The bar's share is that of all batches, also when most are committed"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    for i in range(20): land(f"landing/{i}.json", '{"a":1,"b":"xxxxxxxxxxxxxxxxxxxxxxxxxx"}\n' * 60000)
    code, shown = on_terminal("once", "p.yaml", env={"INLET_THREADS": "1"})
    equal(code, 0)
    for share, files in re.findall(r"(\d+)%  (\d+) files", shown):
        assert abs(int(share) - int(files) * 5) <= 15, shown

@test
def terminal():
    """On a terminal there is a bar and a sentence at the end; without one a line of JSON and nothing else"""
    big_batch()
    code, shown = on_terminal("once", "p.yaml")
    equal(code, 0)
    has(shown, "\r\x1b[K", "rows/s", "%", "400,000 rows from 4 files")
    assert '{"pipeline"' not in shown
    pipeline(start="out2", checkpoint="ck2")
    result = once()
    equal((result.err, result.out.count("\n"), result.out[:1]), ("", 1, "{"))
    pipeline(start="out3", checkpoint="ck3")
    code, shown = on_terminal("once", "--quiet", "p.yaml")
    equal((code, shown), (0, ""))
    pipeline(start="out4", checkpoint="ck4")
    code, shown = on_terminal("once", "p.yaml", env={"TERM": "dumb"})
    assert "\x1b" not in shown, shown

@test
def quiet_under_cron():
    """Nothing new, --quiet, no terminal: one line of JSON on standard output, nothing on standard error"""
    pipeline()
    for words in (["p.yaml"], ["--quiet", "p.yaml"], ["--json", "p.yaml"]):
        result = once(*words)
        equal(result.err, "")
        equal((result.summary["status"], result.summary["exit"]), ("done", 0))

@test
def closed_output():
    """A closed standard output does not stop a load"""
    pipeline()
    some(3)
    p = subprocess.Popen(f"exec {INLET} once p.yaml >&- 2>&-", shell=True)
    equal(p.wait(20), 0)
    equal(len(rows()), 3)
    r, w = os.pipe()
    os.close(r)
    p = subprocess.Popen([INLET, "files", "p.yaml"], stdout=w, stderr=subprocess.PIPE)
    os.close(w)
    p.communicate(timeout=20)
    assert p.returncode >= 0 and p.returncode != 134

def told_by_inlet():
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind("notify")
    told.settimeout(10)
    return told

def until(told, word):
    """All that systemd is told up to the line `word`."""
    lines = []
    while word not in lines:
        lines += told.recv(1000).decode().split("\n")
    return lines

@test
def systemd():
    """systemd is told READY=1 when all pipelines run, then what was loaded, and STOPPING=1 at the end"""
    pipeline()
    told = told_by_inlet()
    with service(env={"NOTIFY_SOCKET": os.path.abspath("notify")}) as p:
        equal(until(told, "STATUS=running 1 pipeline"), ["READY=1", "STATUS=running 1 pipeline"])
        land("landing/a.json", GOOD + GOOD)
        equal(told.recv(1000), b"STATUS=running: 2 rows from 1 files so far")
        p.send_signal(signal.SIGTERM)
        equal(until(told, "STATUS=stopping"), ["STOPPING=1", "STATUS=stopping"])
        ends(p)
    os.makedirs("pipes")
    for name in ("x", "y"):
        pipeline(f"pipes/{name}.yaml", load="../landing", start=f"../out_{name}", checkpoint=f"../ck_{name}")
    with service("pipes", env={"NOTIFY_SOCKET": os.path.abspath("notify")}) as p:
        equal(until(told, "STATUS=running 2 pipelines")[0], "READY=1")
        p.send_signal(signal.SIGTERM)
        equal(until(told, "STOPPING=1").count("READY=1"), 0, "said once")
        ends(p)

@test
def one_of_many_cannot_start():
    """run FOLDER: where one pipeline cannot be opened none is run, systemd hears no READY=1, and all errors are told"""
    for name in ("a", "b", "c"):
        pipeline(f"pipes/{name}.yaml", load=f"../landing_{name}", start=f"../out_{name}", checkpoint=f"../ck_{name}")
    os.makedirs("landing_b")
    land("landing_b/f.json", GOOD)
    told = told_by_inlet()
    result = inlet("run", "pipes", env={"NOTIFY_SOCKET": os.path.abspath("notify")})
    equal(result.code, 78)
    has(result.err, "PATH_NOT_FOUND", "landing_a", "landing_c")
    equal([json.loads(line)["status"] for line in result.out.strip().split("\n")], ["failed", "not_started", "failed"])
    equal(told.recv(1000), b"STOPPING=1")
    assert not os.path.exists("out_b"), "nothing was loaded"

@test
def one_of_many_dies():
    """run FOLDER: where one pipeline fails the others finish their batch, and the process ends with the failure's status"""
    for name in ("a", "b", "c"):
        os.makedirs(f"landing_{name}")
    pipeline("pipes/a.yaml", load="../landing_a", start="../out_a", checkpoint="../ck_a", trigger={"availableNow": True})
    pipeline("pipes/b.yaml", load="../landing_b", start="../out_b", checkpoint="../ck_b", reader={"mode": "FAILFAST"})
    pipeline("pipes/c.yaml", load="../landing_c", checkpoint="../ck_c", foreach=["sh", "-c", "cat >> got; echo begun > begun; sleep 2"])
    told = told_by_inlet()
    with service("pipes", env={"NOTIFY_SOCKET": os.path.abspath("notify")}) as p:
        until(told, "READY=1")
        wait_for(lambda: inlet("once", "pipes/a.yaml").code == 0, what="the end of a, whose checkpoint is free then")
        equal(p.poll(), None, "a stream that has an end takes nobody along")
        land("landing_c/f.json", GOOD)
        wait_for(lambda: os.path.exists("pipes/begun") or os.path.exists("begun"), what="the batch of c")
        land("landing_b/bad.json", "{bad}\n")
        until(told, "STATUS=stopping: b failed")
        result = ends(p, code=1)
    has(result.err, "MALFORMED_RECORD_IN_PARSING", "service.ending")
    equal([json.loads(line)["batches"] for line in result.out.strip().split("\n")], [0, 0, 1], result.out)

@test
def progress():
    """StreamingQueryProgress has Spark's keys in Spark's order; the last 100 are kept"""
    pipeline(reader={"maxFilesPerTrigger": "1"})
    some(1)
    once()
    equal(find(json_lines(inlet("status", "--json", "p.yaml")), "recent_progress")[0]["sources"][0]["startOffset"], None, "nothing before the first batch")
    some(109, 1)
    once()
    status = json_lines(inlet("status", "--json", "p.yaml"))[0]
    recent = find(status, "recent_progress")
    equal(len(recent), 100)
    equal([r["batchId"] for r in recent], list(range(10, 110)))
    last = recent[-1]
    equal(list(last), ["id", "runId", "name", "timestamp", "batchId", "batchDuration", "numInputRows", "inputRowsPerSecond", "processedRowsPerSecond", "durationMs",
                       "stateOperators", "sources", "sink", "observedMetrics"])
    equal(recent[0]["sources"][0]["startOffset"] == recent[0]["sources"][0]["endOffset"], False)
    equal(sorted(last["durationMs"]), list(last["durationMs"]), "sorted")
    assert {"addBatch", "getBatch", "latestOffset", "queryPlanning", "triggerExecution", "walCommit", "commitOffsets"} <= set(last["durationMs"])
    source = last["sources"][0]
    equal([k for k in source if k != "metrics"], ["description", "startOffset", "endOffset", "latestOffset", "numInputRows", "inputRowsPerSecond", "processedRowsPerSecond"])
    assert source["description"].startswith("FileStreamSource[file:/") and source["description"].endswith("/landing]"), source
    equal((last["sink"]["numOutputRows"], last["sink"]["description"][:9]), (1, "FileSink["))  # Spark does not know: -1.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last["timestamp"]), last["timestamp"]
    equal((last["numInputRows"], last["name"]), (1, "p"))
    equal(len({r["id"] for r in recent}), 1)
    assert last["id"] != last["runId"]
    assert recent[0]["durationMs"]["triggerExecution"] <= recent[0]["batchDuration"] + 1
    some(1, 200)
    with service("--json", "p.yaml") as p:
        wait_for(committed(110))
        p.send_signal(signal.SIGTERM)
        lines = json_lines(ends(p))
    equal(lines[0]["batchId"], 110)
    equal(lines[-1]["exit"], 0)

@test
def why():
    """`why` names the rule for files that were loaded, are unsettled, do not match, lie elsewhere or do not exist"""
    pipeline(reader={"pathGlobFilter": "*.json"})
    some(1)
    once()
    land("landing/notes.txt", "x")
    land("landing/_hidden.json", GOOD)
    land("elsewhere/a.json", GOOD)
    write("landing/young.json", "")
    land("landing/new.json", GOOD)
    for path, parts in (("landing/f0000.json", ["batch 0"]), ("landing/notes.txt", ["pathGlobFilter"]), ("landing/_hidden.json", ["_"]), ("elsewhere/a.json", ["load"]),
                        ("landing/young.json", ["empty"]), ("landing/new.json", ["next"]), ("landing/nothing.json", ["no such file"])):
        result = inlet("why", path, "p.yaml")
        equal(result.code, 0, repr(result))
        has(result.out.lower(), *[part.lower() for part in parts])

@test
def wrong_query_without_files():
    """A wrong column is told although no file has come; a right one is nothing new"""
    pipeline(query="SELECT nothing FROM input")
    has(once(code=78).err, "UNRESOLVED_COLUMN")
    pipeline(query="SELECT a FROM input")
    equal(once().summary["batches"], 0)

@test
def signal_at_the_end():
    """A signal that comes when the work is done and its last output waits changes neither output nor exit status"""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True: os.write(writer, b"." * 512)
    os.set_blocking(writer, True)
    p = subprocess.Popen([INLET, "once", "--help"], stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    for _ in range(300):  # Until it stands in write(2), the first call's number of x86-64.
        time.sleep(0.02)
        if open(f"/proc/{p.pid}/syscall").read().startswith("1 "): break
    for _ in range(2):
        p.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    with os.fdopen(reader, "rb") as f: out = f.read().decode().lstrip(".")
    err = p.communicate()[1].decode()
    equal((p.returncode, err), (0, ""))
    has(out, "Usage: inlet once", "say each step on standard error")

main()

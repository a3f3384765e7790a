"""lib -- what the black-box tests share: TAP, scratch folders, running inlet, reading sinks back with other people's readers.

Environment: INLET (the program), PYTHON (this interpreter, with pyarrow, duckdb, deltalake), INLET_SEED (repeats a random run).
"""
import contextlib, json, os, random, re, shutil, subprocess, sys, tempfile, time, traceback

INLET = os.path.abspath(os.environ.get("INLET", os.path.join(os.path.dirname(__file__), "../../build/inlet")))
SEED = int(os.environ.get("INLET_SEED", random.SystemRandom().randrange(1 << 31)))

_tests = []
at_end = []  # Called without arguments before the program ends.

def test(function):
    """Registers a test; its name is the first line of its docstring, a sentence."""
    _tests.append(function)
    return function

def main():
    print(f"1..{len(_tests)}", flush=True)
    failed = 0
    for number, function in enumerate(_tests, 1):
        title = (function.__doc__ or function.__name__).strip().split("\n")[0].replace("#", "\\#")
        folder = tempfile.mkdtemp(prefix="inlet-test-", dir=os.environ.get("INLET_TEST_DIR"))
        old = os.getcwd()
        try:
            os.chdir(folder)
            function()
            print(f"ok {number} - {title}", flush=True)
        except Skip as skip:
            print(f"ok {number} - {title} # SKIP {skip}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {title}")
            for line in traceback.format_exc().strip().split("\n"):
                print("# " + line)
            print(f"# seed {SEED}", flush=True)
        finally:
            os.chdir(old)
            subprocess.run(["chmod", "-R", "u+rwx", folder], stderr=subprocess.DEVNULL)
            shutil.rmtree(folder, ignore_errors=True)
    for function in at_end: function()
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # Threads of pyarrow or deltalake may abort an ordinary exit.

class Skip(Exception):
    pass

class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
    @property
    def summary(self):
        return json.loads(self.out.strip().split("\n")[-1])
    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[-1500:]}\nstderr: {self.err[-3000:]}"

def inlet(*words, env=None, timeout=120, cwd=None, stdin=subprocess.DEVNULL):
    p = subprocess.run([INLET, *words], stdin=stdin, capture_output=True, timeout=timeout, cwd=cwd, env={**os.environ, "TZ": "UTC", **(env or {})})
    result = Result(p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"))
    assert p.returncode >= 0, f"killed by signal {-p.returncode}\n{result}"
    for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer", "internal error"):
        assert word not in result.err, result
    return result

def measured(*words, limit=256 << 20, code=0):
    """Runs inlet and watches its private memory."""
    p = subprocess.Popen([INLET, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peak = 0
    while p.poll() is None:
        try:
            with open(f"/proc/{p.pid}/status") as f:
                for line in f:
                    if line.startswith("RssAnon:"):
                        peak = max(peak, int(line.split()[1]) << 10)
        except OSError:
            pass
        time.sleep(0.005)
    out, err = p.communicate()
    result = Result(p.returncode, out.decode(), err.decode())
    equal(p.returncode, code, repr(result))
    if not re.search("build/(san|tsan|coverage)|valgrind", INLET):
        assert peak < limit, f"peak of private memory: {peak >> 20} MB"
    return result

def once(*words, code=0, **more):
    result = inlet("once", *(words or ("p.yaml",)), **more)
    assert result.code == code, f"expected exit {code}\n{result}"
    return result

def equal(got, expected, what=""):
    assert got == expected, f"{what}\n  got      {got!r}\n  expected {expected!r}"

def has(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in:\n{text}"

def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())

def land(path, text):
    """As a careful producer does it: written aside, moved in."""
    aside = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".tmp")
    write(aside, text)
    os.rename(aside, path)

def pipeline(name="p.yaml", fmt="json", schema="a BIGINT, b STRING", load="landing", reader=None, sink="parquet", start="out", writer=None,
             query=None, trigger=None, checkpoint="ck", conf=None, partition_by=None, foreach=None, extra=None):
    tree = {"readStream": {"format": fmt, "load": load, "options": reader or {}},
            "writeStream": {"options": {**({"checkpointLocation": checkpoint} if checkpoint else {}), **(writer or {})}}}
    if schema: tree["readStream"]["schema"] = schema
    if query: tree["query"] = query
    if conf: tree["conf"] = conf
    w = tree["writeStream"]
    if foreach: w["foreachBatch"] = {"command": foreach}
    else: w["format"] = sink
    if start and not foreach and sink != "console": w["start"] = start
    if trigger is not None: w["trigger"] = trigger
    if partition_by: w["partitionBy"] = partition_by
    tree.update(extra or {})
    write(name, json.dumps(tree, indent=1))  # JSON is YAML.
    os.makedirs("landing", exist_ok=True)

def sink_files(path="out"):
    """The files that Spark would read: those of the log."""
    log = os.path.join(path, "_spark_metadata")
    names = [n for n in os.listdir(log) if n.split(".")[0].isdigit()] if os.path.isdir(log) else []
    compacts = [int(n.split(".")[0]) for n in names if n.endswith(".compact")]
    start = max(compacts, default=-1)
    files = {}
    for name in sorted(names, key=lambda n: int(n.split(".")[0])):
        number = int(name.split(".")[0])
        if number < start or (number == start and not name.endswith(".compact")):
            continue
        with open(os.path.join(log, name)) as f:
            lines = f.read().split("\n")
        assert lines[0] == "v1", (name, lines[:1])
        for line in lines[1:]:
            entry = json.loads(line)
            from urllib.parse import unquote
            files[unquote(entry["path"].replace("file://", "", 1))] = entry
    return files

def rows(path="out", fmt="parquet"):
    """Rows of a sink as a list of dicts, read by pyarrow / deltalake / json."""
    if fmt == "delta":
        import deltalake
        return deltalake.DeltaTable(path).to_pyarrow_table().to_pylist() if os.path.isdir(os.path.join(path, "_delta_log")) else []
    out = []
    for name in sorted(sink_files(path)):
        if fmt == "parquet":
            import pyarrow.parquet as pq
            out += pq.ParquetFile(name).read().to_pylist()
        elif fmt == "json":
            out += [json.loads(line) for line in open(name)]
        else:
            raise ValueError(fmt)
    return out

def files(*words):
    return [json.loads(line) for line in inlet("files", "--json", *(words or ("p.yaml",))).out.strip().split("\n") if line]

DOORS = os.environ.get("DOORS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/release/crash/doors.so"))

def doors(**settings):
    """Environment under which the clock is moved or reads fail: see tests/crash/doors.c."""
    if "/san/" in os.path.realpath(INLET) or "/tsan/" in os.path.realpath(INLET): raise Skip("the sanitizers must be loaded first")
    if not os.path.exists(DOORS): raise Skip(f"needs {DOORS}: make unit")
    return {"LD_PRELOAD": DOORS, **{f"DOORS_{k.upper()}": str(v) for k, v in settings.items()}}

@contextlib.contextmanager
def service(*words, env=None):
    p = subprocess.Popen([INLET, "run", *(words or ("p.yaml",))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, "TZ": "UTC", **(env or {})})
    try:
        yield p
    finally:
        if p.poll() is None:
            p.kill()
        p.communicate()

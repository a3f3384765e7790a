"""harness -- the pipelines of the crash tests: made anew in a folder of their own, run under `crashpoint`, and judged.

A workload is deterministic (INLET_THREADS=1, fixed names and times), so that call N of one run is call N of the next; but for those that are
not steady (threads_test.py). Everything lies in memory (INLET_CRASH_DIR, default /dev/shm). CRASHPOINT names the tracer."""
import csv, glob, hashlib, io, json, multiprocessing, os, pickle, re, shutil, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pipelines"))
import lib, tracelint

CRASHPOINT = os.path.abspath(os.environ.get("CRASHPOINT", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/release/crash/crashpoint")))
MEMORY = os.environ.get("INLET_CRASH_DIR", "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
ENVIRONMENT = {**os.environ, "TZ": "UTC", "INLET_THREADS": "1", "INLET_RECENT_ROWS": "2"}  # So few recent rows that the ledger merges some.
TIMEOUT = 60
ALL = os.environ.get("INLET_CRASH") == "all"
SHOW = int(os.environ.get("INLET_CRASH_SHOW", "5"))
JOBS = int(os.environ.get("INLET_CRASH_JOBS", os.cpu_count() if ALL else 1))
EVERYTHING = "create,write,sync,truncate,rename,link,unlink,mkdir,rmdir,attribute"
COMMAND = ["sh", "-c", "cat > got/.$INLET_BATCH_ID && mv got/.$INLET_BATCH_ID got/$INLET_BATCH_ID-$$"]

def own_copy(program):
    """Builds may go on beside a long test."""
    copy = os.path.join(tempfile.mkdtemp(prefix="inlet-crash-", dir=MEMORY), "inlet")
    shutil.copy(program, copy)
    lib.at_end.append(lambda: shutil.rmtree(os.path.dirname(copy), True))
    return copy

PROGRAM = own_copy(lib.INLET)

def program():
    return PROGRAM

def use_program(path):
    """From here on another build is under test."""
    global PROGRAM
    PROGRAM = path

# The same bytes are read once: between two looks most files, and the log of most tables, are what they were.
KNOWN = {}

def known(key, read):
    if key not in KNOWN:
        if len(KNOWN) > 20000: KNOWN.clear()
        KNOWN[key] = read()
    return KNOWN[key]

def read_rows(data, sink):
    if sink in ("parquet", "delta"):
        import pyarrow, pyarrow.parquet as parquet
        return parquet.ParquetFile(pyarrow.BufferReader(data)).read(columns=["a"]).column(0).to_pylist()
    text = data.decode()
    if sink == "json": return [json.loads(line)["a"] for line in io.StringIO(text)]
    return [int(row["a"]) for row in csv.DictReader(io.StringIO(text, newline=""))]

def rows_of_file(name, sink):
    with open(name, "rb") as f: data = f.read()
    return known((sink, hashlib.md5(data).digest()), lambda: read_rows(data, sink))

def files_of_table(path):
    """Names and sizes of a Delta table's files; what they are hangs on its log alone."""
    names = sorted(glob.glob(path + "/_delta_log/*"))
    if not any(name.endswith(".json") for name in names): return []
    def read():
        import deltalake
        actions = deltalake.DeltaTable(path).get_add_actions(flatten=True)
        return list(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist()))
    digest = hashlib.md5()
    for name in names:
        with open(name, "rb") as f: digest.update(f"{os.path.basename(name)} {os.fstat(f.fileno()).st_size}\0".encode() + f.read())
    return known(("log", digest.digest()), read)

class Workload:
    """One pipeline over a few source files."""
    steady = True        # Call N of one run is call N of the next.
    same_batches = True  # The same files come in the same batches.
    place = MEMORY
    def __init__(self, name, sink, clean=None, files=5, per_trigger=2, partitioned=False, across=False, width=1):
        self.name, self.sink, self.clean, self.files, self.per_trigger = name, sink, clean, files, per_trigger
        self.partitioned, self.across, self.width = partitioned, across, width

    @property
    def exactly_once(self):
        return self.sink not in ("console", "foreachBatch")

    @property
    def calls(self):
        """What is counted; the console's sink is its standard output."""
        return EVERYTHING + (",stream" if self.sink == "console" else "")

    def source(self, i):
        return [{"a": i * 100 + j, "b": "x" * j * self.width, "p": "even" if j % 2 == 0 else "odd"} for j in range(4)]

    def all_rows(self):
        return sorted(row["a"] for i in range(self.files) for row in self.source(i))

    def traced(self, folder, *flags, only):
        """A run below the tracer."""
        return traced(folder, *flags, only=only)

    def make(self, folder):
        os.makedirs(os.path.join(folder, "landing"))
        os.makedirs(os.path.join(folder, "got"))
        archive = os.path.join(folder, "archive")
        reader = {"maxFilesPerTrigger": str(self.per_trigger)}
        if self.clean == "archive":
            reader.update(cleanSource="archive", sourceArchiveDir=self.archive(folder))
        elif self.clean == "delete":
            reader.update(cleanSource="delete")
        tree = {"readStream": {"format": "json", "load": "landing", "schema": "a BIGINT, b STRING, p STRING", "options": reader},
                "writeStream": {"options": {"checkpointLocation": "ck"}}}
        write = tree["writeStream"]
        if self.sink == "foreachBatch":
            write["foreachBatch"] = {"command": COMMAND}
        else:
            write["format"] = self.sink
            if self.sink != "console": write["start"] = "out"
            if self.sink == "csv": write["options"]["header"] = "true"
            if self.partitioned: write["partitionBy"] = ["p"]
        lib.write(os.path.join(folder, "p.yaml"), json.dumps(tree, indent=1))
        for i in range(self.files):
            path = os.path.join(folder, f"landing/f{i:02d}.json")
            lib.write(path, "".join(json.dumps(row) + "\n" for row in self.source(i)))
            os.utime(path, (1700000000 + i, 1700000000 + i))

    def archive(self, folder):
        """Where cleaned files go; across: on another file system."""
        return "/tmp/inlet-crash-" + hashlib.md5(folder.encode()).hexdigest() if self.across else os.path.join(folder, "archive")

    # --- What a stranger sees -----------------------------------------------------------------------

    def data_files(self, folder):
        out = os.path.join(folder, "out")
        if self.sink != "delta": return list(lib.sink_files(out))
        files = [(os.path.join(out, name), size) for name, size in files_of_table(out)]
        for path, size in files: assert os.path.getsize(path) == size, f"{path} has not the {size} bytes that the log says"
        return sorted(path for path, _ in files)

    def rows(self, folder):
        if self.sink == "foreachBatch":
            return [json.loads(line)["a"] for name in glob.glob(os.path.join(folder, "got/*")) for line in open(name)]
        return [a for name in self.data_files(folder) for a in rows_of_file(name, self.sink)]

    def contents(self, folder):
        """The bytes of the data files, without regard to names that hold random ids."""
        return sorted(hashlib.md5(open(name, "rb").read()).hexdigest() for name in self.data_files(folder))

    def tree(self, folder):
        """Every name there is, random parts taken out."""
        names = []
        for top in (folder, self.archive(folder) if self.across else None):
            for path, folders, files in os.walk(top) if top else ():
                for name in folders + files:
                    names.append(plain(os.path.relpath(os.path.join(path, name), top).replace(folder.strip("/"), "HERE")))
        return sorted(n for n in names if not re.match(r"list|got/", n))

    def standing(self, folder):
        """Source files by where they are: still in the landing zone (also under a private name), or archived."""
        here = {n for n in os.listdir(os.path.join(folder, "landing"))}
        archived = {os.path.basename(n) for n in glob.glob(self.archive(folder) + "/**/*.json", recursive=True)}
        return here, archived

def plain(name):
    name = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", name)
    name = re.sub(r"#\d+ \(deleted\)", "NAMELESS", name)
    name = re.sub(r"pipe:\[\d+\]", "PIPE", name)
    return re.sub(r"\.[0-9a-f]{8}\.tmp", ".DRAFT.tmp", name)

class Run:
    def __init__(self, code, out, err, lines):
        self.code, self.out, self.err = code, out, err
        self.calls = [line.split("\t") for line in lines if "\t" in line]
        self.count = next((int(line.split()[1]) for line in lines if line.startswith("calls ")), None)
        self.hit = any(line.startswith("hit ") for line in lines)
        self.hang = False
    def call(self, number):
        """What call `number` was, in this run."""
        return next((call for call in self.calls if call[0] == str(number)), None)
    def __repr__(self):
        return f"exit {self.code}\n{self.out[-600:]}\n{self.err[-2000:]}"

def below_tracer(folder, *flags, only, command="once"):
    return [CRASHPOINT, f"--only={only}", f"--list={folder}/list", *flags, "--", PROGRAM, command, "p.yaml"]

def listed(folder):
    listing = os.path.join(folder, "list")
    return open(listing, errors="replace").read().split("\n") if os.path.exists(listing) else []

def traced(folder, *flags, only=EVERYTHING):
    """`inlet once` below the tracer."""
    p = subprocess.run(below_tracer(folder, *flags, only=only), cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    assert p.returncode != 125, p.stderr.decode()
    return Run(p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"), listed(folder))

def plainly(folder, *words):
    p = subprocess.run([PROGRAM, *words], cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    return Run(p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"), [])

def console_rows(*outs):
    return [int(found) for out in outs for found in re.findall(r"^\|\s*(\d+)\s*\|", out, re.M)]

class Scratch:
    """A folder for one attempt; its name always has the same length, because names are in the records that are written."""
    def __init__(self, workload):
        self.workload = workload
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="inlet-crash-", dir=self.workload.place)
        self.workload.make(self.folder)
        return self.folder
    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.workload.across: shutil.rmtree(self.workload.archive(self.folder), ignore_errors=True)

def order_of(workload, folder, calls):
    """What two undisturbed runs have in common: every call but how LMDB groups its pages, without sizes."""
    order = []
    for _, kind, name, _, path, path2 in calls:
        call = plain(f"{kind} {name} {path} {path2}".replace(workload.archive(folder), "ARCHIVE").replace(folder, "HERE"))
        if path.endswith("/data.mdb") and kind == "write": call = "write data.mdb"
        if call != "write data.mdb" or not order or order[-1] != call: order.append(call)
    return order

class Reference:
    """The undisturbed run."""
    def __init__(self, workload, only=None):
        with Scratch(workload) as folder:
            run = workload.traced(folder, only=only or workload.calls)
            assert run.code == 0, run
            self.calls, self.count = run.calls, run.count
            self.trace = [plain("\t".join(call).replace(folder, "HERE")) for call in run.calls]
            self.order = order_of(workload, folder, run.calls)
            rows = console_rows(run.out) if workload.sink == "console" else workload.rows(folder)
            assert sorted(rows) == workload.all_rows(), f"the undisturbed run is wrong: {sorted(rows)}"
            self.contents = workload.contents(folder) if workload.exactly_once else None
            self.tree = workload.tree(folder)
            self.landing, self.archived = workload.standing(folder)
            assert not workload.clean or not self.landing, f"left in the landing zone: {self.landing}"
            assert workload.clean != "archive" or len(self.archived) == workload.files, f"archived: {self.archived}"
            self.breaches = tracelint.lint(workload, folder, run.calls)

def check_meanwhile(workload, folder, run):
    """Right after the fault, before anything was mended: what a reader sees, and that no file is gone whose rows are not there."""
    rows = workload.rows(folder) if workload.sink != "console" else console_rows(run.out)
    if workload.exactly_once:
        assert len(rows) == len(set(rows)), f"rows twice before recovery: {sorted(rows)}"
    assert set(rows) <= set(workload.all_rows()), "rows from nowhere"
    here, archived = workload.standing(folder)
    private = sum(1 for name in here if name.startswith(".inlet-clean-"))
    gone = [i for i in range(workload.files) if f"f{i:02d}.json" not in here]
    seen = set(rows)
    unseen = [i for i in gone if not {row["a"] for row in workload.source(i)} <= seen]
    if workload.sink in ("console", "foreachBatch"):
        unseen = []  # Their output of a killed run may be cut; what was committed cannot be seen from outside.
    assert not unseen, f"source files {unseen} were taken away before their rows could be seen"
    if workload.clean == "archive":
        lost = [i for i in gone if f"f{i:02d}.json" not in archived]
        assert len(lost) <= private, f"source files {lost} are in neither place"
    for i in gone:
        if workload.clean == "archive" and f"f{i:02d}.json" in archived:
            path = next(n for n in glob.glob(workload.archive(folder) + "/**/*.json", recursive=True) if n.endswith(f"/f{i:02d}.json"))
            text = open(path).read()
            assert text == "".join(json.dumps(row) + "\n" for row in workload.source(i)), f"{path} is torn"

def check_recovery(workload, reference, folder, first, same_batches=True):
    """A run without faults brings everything to where the undisturbed run was.
    same_batches: the same files in the same batches; not so where a file could not be looked at in time."""
    second = plainly(folder, "once", "p.yaml")
    assert second.code == 0, f"recovery failed: {second}"
    if workload.sink == "console":
        missing = set(workload.all_rows()) - set(console_rows(first.out, second.out))
        assert not missing, f"rows never shown: {sorted(missing)}"
    else:
        rows = sorted(workload.rows(folder))
        if workload.exactly_once: lib.equal(rows, workload.all_rows(), "rows after recovery")
        else: assert set(rows) == set(workload.all_rows()), f"rows after recovery: {rows}"
    if workload.exactly_once and same_batches:
        lib.equal(workload.contents(folder), reference.contents, "bytes of the data files")
    tree = workload.tree(folder)
    if not same_batches:
        litter = [name for name in tree if re.search(r"_inlet|\.tmp|staged|inlet-clean|ledger\.new", name)]
        assert not litter, f"litter {litter}"
        if workload.sink != "foreachBatch": lib.equal(len([n for n in tree if "part-" in n]), len(workload.data_files(folder)), "data files and those of the log")
    elif tree != reference.tree:
        from collections import Counter
        more, less = Counter(tree) - Counter(reference.tree), Counter(reference.tree) - Counter(tree)
        more, less = ([name for name in names.elements() if not re.search(r"checkpoint\.parquet$|_last_checkpoint$", name)] for names in (more, less))
        assert not more and not less, f"litter {sorted(more)}, missing {sorted(less)}"  # Checkpoints come later or for another version: only readers gain by them.
    lib.equal(workload.standing(folder), (reference.landing, reference.archived), "source files")
    verdict = plainly(folder, "fsck", "p.yaml")
    assert verdict.code == 0 and "sound" in verdict.out, f"fsck: {verdict}"
    for name in glob.glob(folder + "/got/.*"): os.unlink(name)
    third = plainly(folder, "once", "p.yaml")
    assert third.code == 0 and '"batches":0' in third.out, f"a third run found work: {third}"

MISSED = multiprocessing.Value("l", 0)

def missed(workload):
    """A run that is not steady may end ahead of its call N: that one proves nothing of it."""
    with MISSED.get_lock(): MISSED.value += 1

def kill_at(workload, reference, side, number):
    """Kills there, then mends; None, or what went wrong."""
    call = reference.trace[number - 1] if number <= len(reference.trace) else "?"
    try:
        with Scratch(workload) as folder:
            run = workload.traced(folder, f"--kill-{side}={number}", only=workload.calls)
            call = run.call(number) or call
            if not run.hit and (workload.steady or run.code != 0): return f"call {number} was never reached: {run}"
            check_meanwhile(workload, folder, run)
            check_recovery(workload, reference, folder, run, same_batches=workload.same_batches)
            if not run.hit: missed(workload)
            return None
    except Exception as fault:
        return f"killed {side} call {number} ({call}): {fault}"

def kill_twice(workload, reference, rng):
    """Killed, and killed again while the next run mends."""
    first = (rng.choice(("before", "after")), rng.randrange(1, reference.count + 1))
    second = None
    try:
        with Scratch(workload) as folder:
            run = traced(folder, f"--kill-{first[0]}={first[1]}", only=workload.calls)
            second = (rng.choice(("before", "after")), rng.randrange(1, max(2, (reference.count - first[1]) * 5 // 4)))
            again = traced(folder, f"--kill-{second[0]}={second[1]}", only=workload.calls)
            assert again.code in (0, 137), again
            run.out += again.out
            check_meanwhile(workload, folder, run)
            check_recovery(workload, reference, folder, run)
        return None
    except Exception as fault:
        return f"killed {first}, then {second}: {fault}"

# --- Many points, over all cores ------------------------------------------------------------------------

def apart(works):
    """What the functions return, each run in a process of its own at the same time. Here no reader is ever started: its threads would not
    be there behind a fork."""
    import pyarrow.parquet, deltalake  # Once, not in every child.
    pipes = []
    for work in works:
        get, put = os.pipe()
        pipes.append((os.fork(), get))
        if pipes[-1][0]:
            os.close(put)
            continue
        try: answer = work()
        except BaseException as what: answer = what if isinstance(what, AssertionError) else AssertionError(repr(what))
        with open(put, "wb") as f: pickle.dump(answer, f)
        os._exit(0)
    answers = []
    for child, get in pipes:
        with open(get, "rb") as f: answers.append(f.read())
        os.waitpid(child, 0)
    answers = [pickle.loads(answer) if answer else AssertionError("a process of the test has died") for answer in answers]
    for answer in answers:
        if isinstance(answer, AssertionError): raise answer
    return answers

def aside(work):
    """What the function returns; with several jobs not done in this process."""
    return work() if JOBS == 1 else apart([work])[0]

def try_points(points, attempt, seconds):
    """attempt(*point) for each, in order, until the time is up (None: all of them): how many were tried, and what went wrong."""
    deadline, counter = time.monotonic() + (seconds or 0), multiprocessing.Value("l", 0)
    def work():
        done, faults = 0, []
        while True:
            with counter.get_lock():
                at = counter.value
                counter.value += 1
            if at >= len(points) or (seconds is not None and time.monotonic() > deadline): return done, faults
            fault = attempt(*points[at])
            done += 1
            if fault: faults.append((at, fault))
    answers = [work()] if JOBS == 1 else apart([work] * JOBS)
    return sum(done for done, _ in answers), [fault for _, fault in sorted(at for _, faults in answers for at in faults)]

def report(workload, tried, faults):
    print(f"# {workload.name}: {tried}, {len(faults)} faults" + ("" if ALL else f", seed {lib.SEED}"), flush=True)
    assert not faults, f"{len(faults)} faults; the first:\n" + "\n".join(faults[:SHOW])

class Fault:
    """flag: of the tracer; classes: what is counted; codes: exits that are right (0: it was overcome, or told as a warning)."""
    def __init__(self, name, flag, error, classes, codes):
        self.name, self.flag, self.error, self.classes, self.codes = name, flag, error, classes, codes
    def codes_for(self, run, number, reference):
        return self.codes
    def words(self, number):
        return f"--{self.flag}={number}" + (f":{self.error}" if self.error else "")

GROWS = "create,write,truncate,rename,link,mkdir,sync"
FAULTS = [
    Fault("no-space-once", "fail", "ENOSPC", GROWS, (0, 5)),
    Fault("no-space-on", "fail-from", "ENOSPC", GROWS, (0, 5)),
    Fault("io-error-once", "fail", "EIO", EVERYTHING, (0, 1)),
    Fault("io-error-on", "fail-from", "EIO", EVERYTHING, (0, 1)),
    Fault("done-but-told-io-error", "lie", "EIO", EVERYTHING, (0, 1)),
    Fault("interrupted", "fail", "EINTR", "write,read", (0,)),
    Fault("short-write", "short", None, "write", (0,)),
    Fault("no-descriptors-once", "fail", "EMFILE", "create,open", (0, 5)),
    Fault("no-descriptors-on", "fail-from", "EMFILE", "create,open", (0, 5)),
    Fault("read-error-once", "fail", "EIO", "read", (0, 1, 3)),
    Fault("not-supported", "fail", "EOPNOTSUPP", "create,link", (0, 1)),  # A file system without nameless files, or without links.
    Fault("read-only-on", "fail-from", "EROFS", "create,write,truncate,rename,link,unlink,mkdir,rmdir,attribute", (0, 1)),
]
SYSTEM = re.compile(r"\.so(\.|$)|ld\.so|^/(etc|proc|sys|usr|lib|lib64|bin)/|^/dev/(?!shm/)|^/tmp/(?!inlet-crash)|/release/inlet$|/(san|coverage)/inlet$|\.gcda$|^$|^pipe:|^anon_inode:|^socket:|/got/")

def failable(reference):
    """Not the loader of libraries, not what belongs to the command of foreachBatch."""
    return [int(call[0]) for call in reference.calls if not SYSTEM.search(call[4])]

def check_quarantine(workload, folder, run):
    """A source file that cannot be read is set aside, told, kept; all others are there."""
    failed = [f["path"] for f in map(json.loads, plainly(folder, "files", "--json", "--state", "failed", "p.yaml").out.strip().split("\n")) if f]
    assert len(failed) == 1 and os.path.exists(failed[0]), f"{failed} {run}"
    bad = int(re.search(r"f(\d+)\.json", failed[0]).group(1))
    wanted = {row["a"] for i in range(workload.files) if i != bad for row in workload.source(i)}
    if workload.exactly_once: lib.equal(sorted(workload.rows(folder)), sorted(wanted), "rows of the files that could be read")
    else: lib.equal(set(workload.rows(folder)), wanted, "rows of the files that could be read")

def unheard(workload, fault, folder, run):
    """What was done as if the call that failed had not. Cleaning may fail, and a run that has failed tells the ledger of it: those commits are no batch's."""
    if fault.name != "io-error-once": return []
    return [breach for breach in tracelint.lint(workload, folder, run.calls)
            if "the log names" in breach or "gets its name" in breach or (run.code == 0 and not re.search(r"\(gone\)|archive|in /landing", breach))]

def fail_at(workload, fault, reference, number):
    """Lets that call fail, then mends; None, or what went wrong."""
    call = "?"
    try:
        call = reference.calls[number - 1]
        with Scratch(workload) as folder:
            run = workload.traced(folder, fault.words(number), only=fault.classes)
            if not run.hit and fault.flag != "short" and (workload.steady or run.code != 0): return f"call {number} was never reached: {run}"
            call, codes = run.call(number) or call, fault.codes_for(run, number, reference)
            if not workload.steady and (not run.hit or SYSTEM.search(call[4])): return missed(workload)
            if re.search(r"/(data|lock)\.mdb$", call[4]) and fault.name in ("short-write", "interrupted"):
                codes = (0, 1, 5)  # LMDB takes a short write for a full disk; local disks do not interrupt.
            assert run.code in codes, f"exit {run.code}, not {codes}: {run}"
            assert run.code == 0 or re.search(r"\[[A-Z_.]+\]", run.err), f"no condition in the message: {run}"
            assert "internal error" not in run.err, run
            if run.code == 0 and workload.exactly_once and workload.same_batches and '"unsettled_files":0' in run.out:
                lib.equal(sorted(workload.rows(folder)), workload.all_rows(), f"rows after a run that says it has done everything: {run}")
            breaches = tracelint.lint_failed_sync(run.calls) + unheard(workload, fault, folder, run)
            assert not breaches, breaches
            check_meanwhile(workload, folder, run)
            if run.code == 3: return check_quarantine(workload, folder, run)
            check_recovery(workload, reference, folder, run, same_batches=workload.same_batches and "descriptors" not in fault.name)
        return None
    except Exception as what:
        return f"{fault.name} {number} ({call}): {what}"

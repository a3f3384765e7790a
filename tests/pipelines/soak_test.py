"""A random model: files of many sizes and codecs land in nested key=value folders, are replaced, renamed and deleted while inlet is
killed, stopped and started again with other options. A checker knows which records must be there, and how often.

INLET_SEED repeats a run's choices (not its timing); INLET_SOAK_RECORDS and INLET_SOAK_KILLS give its size, over all sinks."""
import bz2, gzip, os, random, signal, subprocess, time
import pyarrow, pyarrow.json, pyarrow.parquet
from lib import *

RECORDS = int(os.environ.get("INLET_SOAK_RECORDS", "150000"))
KILLS = int(os.environ.get("INLET_SOAK_KILLS", "75"))
SINKS = ("parquet", "delta", "json")
CODECS = {"": lambda b: b, ".gz": lambda b: gzip.compress(b, 1), ".bz2": lambda b: bz2.compress(b, 1), ".zst": lambda b: pyarrow.Codec("zstd").compress(b, asbytes=True)}

class Version:
    """What one landing of a file holds: the ids [start, start + count). `seen`: inlet may have read it."""
    def __init__(self, start, count, seen):
        self.start, self.count, self.seen = start, count, seen

class File:
    """One path: its versions, and how it ended. An identity is read once: exactly one version counts."""
    def __init__(self, path):
        self.path, self.versions, self.end, self.most = path, [], "there", 1

class Model:
    def __init__(self, rng):
        self.rng, self.files, self.next, self.running, self.renamed = rng, [], 0, False, []

    def bytes_of(self, path, start, count):
        lines = [f'{{"a":{i},"b":"{"x" * (i % 23)}"}}\n' for i in range(start, start + count)]
        if self.rng.random() < 0.1:
            lines.insert(self.rng.randrange(len(lines) + 1), '{"a":no json\n')
        return CODECS[os.path.splitext(path)[1] if not path.endswith(".json") else ""]("".join(lines).encode())

    def write_version(self, file, slowly=False):
        count = self.rng.choice([1, 2, 10, 100, 1000, 1000, self.rng.randrange(1, 20000)])
        data = self.bytes_of(file.path, self.next, count)
        # Known to the model before it is visible: the checker must never be surprised.
        file.versions.append(Version(self.next, count, self.running))
        self.next += count
        if slowly:  # Nobody reads it before it is whole.
            with open(file.path, "wb") as f:
                for at in (0, len(data) // 2):
                    f.write(data[at:at + len(data) // 2] if at == 0 else data[at:])
                    f.flush()
                    time.sleep(0.002)
        else:
            land(file.path, data)

    def create(self):
        folder = f"landing/k={self.rng.randrange(4)}/d=2024-01-0{self.rng.randrange(1, 4)}"
        os.makedirs(folder, exist_ok=True)
        file = File(f"{folder}/f{len(self.files):06d}.json{self.rng.choice(list(CODECS))}")
        self.files.append(file)
        self.write_version(file, slowly=self.rng.random() < 0.1)

    def step(self):
        there = [f for f in self.files[-40:] if f.end == "there"]
        choice = self.rng.random()
        if choice < 0.7 or not there:
            return self.create()
        file = self.rng.choice(there)
        if choice < 0.85:
            if os.path.exists(file.path):  # Else it was archived: a name that comes back is known, and not loaded.
                self.write_version(file)
            return
        try:
            if choice < 0.93:
                os.unlink(file.path)
                file.end = "deleted"
            elif len(file.versions) == 1:
                target = File(file.path.replace("/f", "/renamed-f"))
                os.rename(file.path, target.path)
                file.end = "renamed"
                file.most = 2 if file.versions[-1].seen else 1  # Under the old name, and under the new one.
        except FileNotFoundError:
            file.end = "cleaned"  # inlet was there first: it was read.

    def started(self):
        self.running = True
        for file in self.files:
            if file.end in ("there", "renamed") and not file.versions[-1].seen:
                file.versions[-1].seen = True

    # --- What must be there -------------------------------------------------------------------------------------

    def check(self, counts, final):
        """counts[id]: how often it is in the output. Before the end, files may still be missing."""
        for file in self.files:
            read = 0
            for number, version in enumerate(file.versions):
                part = counts[version.start:version.start + version.count]
                assert min(part) == max(part), f"{file.path}: version {number} is there in part: {min(part)} to {max(part)} times"
                assert part[0] <= file.most, f"{file.path}: version {number} is there {part[0]} times ({file.end})"
                assert version.seen or number == len(file.versions) - 1 or part[0] == 0, f"{file.path}: version {number} was replaced before anybody could read it"
                read += part[0]
            assert read <= file.most, f"{file.path}: {read} versions are there"
            if final and file.end != "deleted":
                assert read >= 1, f"{file.path}: no version is there ({file.end})"
            if file.end == "deleted" and not file.versions[-1].seen:
                assert counts[file.versions[-1].start] == 0, f"{file.path}: it was deleted before anybody could read it"

def counts_of(sink, size):
    """How often each id below `size` is in the output; another id is an error."""
    if sink == "delta":
        import deltalake
        columns = [deltalake.DeltaTable("out").to_pyarrow_table(columns=["a"]).column("a")] if os.path.isdir("out/_delta_log") else []
    else:
        columns = []
        for name in sink_files():
            if sink == "parquet":
                columns.append(pyarrow.parquet.ParquetFile(name).read(columns=["a"]).column("a"))
            elif os.path.getsize(name):
                schema = pyarrow.schema([("a", pyarrow.int64())])
                columns.append(pyarrow.json.read_json(name, parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")).column("a"))
    counts = bytearray(size)
    for column in columns:
        for i in column.drop_null().to_pylist():
            counts[i] += 1
    return counts

def configure(rng, sink, cloud):
    reader = {"maxFilesPerTrigger": str(rng.choice([1, 2, 5, 20])), "mode": rng.choice(["PERMISSIVE", "DROPMALFORMED"])}
    if cloud:
        reader["cloudFiles.format"] = "json"
        reader["cloudFiles.useNotifications"] = rng.choice(["true", "false"])
    else:
        clean = rng.choice(["archive", "delete", "off"])
        reader["cleanSource"] = clean
        if clean == "archive":
            reader["sourceArchiveDir"] = "archive"
    pipeline(fmt="cloudFiles" if cloud else "json", reader=reader, sink=sink, schema="a BIGINT, b STRING")

def soak(sink, cloud, seed):
    rng = random.Random(seed)
    model, kills, rounds = Model(rng), 0, 0
    records, wanted = RECORDS // len(SINKS), max(1, KILLS // len(SINKS))
    while kills < wanted or model.next < records:
        rounds += 1
        configure(rng, sink, cloud)
        for _ in range(rng.randrange(0, 12)):
            model.step()
        model.started()
        p = subprocess.Popen([INLET, rng.choice(["once", "run"]), "p.yaml"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env={**os.environ, "TZ": "UTC"})
        until = time.monotonic() + rng.choice([0.005, 0.03, 0.1, 0.3]) * rng.random() * 2
        while time.monotonic() < until:
            if rng.random() < 0.5:
                model.step()
            time.sleep(0.004)
        how = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        kills += how == signal.SIGKILL and p.poll() is None
        p.send_signal(how)
        err = p.communicate()[1].decode("utf-8", "replace")
        model.running = False
        assert p.returncode in (0, -9, -15), f"round {rounds}: exit {p.returncode}: {err[-2000:]}"
        if rounds % 20 == 0:
            model.check(counts_of(sink, model.next), final=False)
    configure(rng, sink, cloud)
    model.started()
    for _ in range(5):
        result = once()
        if result.summary["pending_files"] == 0 and result.summary["unsettled_files"] == 0:
            break
    model.check(counts_of(sink, model.next), final=True)
    has(inlet("fsck", "p.yaml").out, "sound")
    print(f"# {sink}: {model.next} records in {len(model.files)} files, {rounds} runs, {kills} of them killed, seed {seed}", flush=True)

@test
def checker():
    """The checker sees lost, doubled and torn files"""
    os.makedirs("landing")
    model = Model(random.Random(SEED))
    for _ in range(20):
        model.create()
    model.started()
    good = bytearray(b"\1" * model.next)
    model.check(good, final=True)
    last = model.files[-1].versions[0]
    for at, value in ((slice(last.start, model.next), 0), (slice(last.start, model.next), 2), (slice(last.start, last.start + 1), 2 if last.count > 1 else 0)):
        bad = bytearray(good)
        bad[at] = bytes([value]) * len(bad[at])
        try:
            model.check(bad, final=True)
        except AssertionError:
            continue
        raise AssertionError(f"{at} {value}: the checker is blind")

@test
def soak_parquet():
    """Parquet: every record once, after files were replaced, renamed, deleted and inlet was killed"""
    soak("parquet", False, SEED)

@test
def soak_delta():
    """Delta from cloudFiles, with and without notifications: the same"""
    soak("delta", True, SEED + 1)

@test
def soak_json():
    """JSON: the same"""
    soak("json", False, SEED + 2)

print(f"# seed {SEED}", flush=True)
main()

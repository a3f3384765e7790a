"""measure -- what the workloads share: running inlet and its peers in turn, memory of a process, rows of the result table."""
import json, os, platform, shutil, statistics, subprocess, sys, threading, time
import shapes

HERE = os.path.dirname(os.path.abspath(__file__))
INLET = os.path.abspath(os.environ.get("INLET", os.path.join(HERE, "../build/inlet")))

class Bench:
    """Settings of one run of the suite, and the rows that it has found."""
    def __init__(self, data, quick, runs):
        self.data, self.quick, self.runs, self.rows = os.path.abspath(data), quick, runs, []
        self.threads = min(2, len(os.sched_getaffinity(0)))
        os.makedirs(self.data, exist_ok=True)
        self.generate = os.path.join(self.data, "generate")
        subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-o", self.generate, os.path.join(HERE, "generate.c")], check=True)

    def path(self, *parts): return os.path.join(self.data, *parts)

    def scale(self, count, least=1): return max(least, count // 20) if self.quick else count

    def files(self, shape):
        """The folder with the data of a shape, made where it is not there."""
        files, rows = shapes.SIZES[shape]
        folder = self.path(f"{shape}-{files}x{self.scale(rows)}")
        if not os.path.isdir(folder):
            subprocess.run([self.generate, shape, folder + ".new", str(files), str(self.scale(rows))], check=True)
            os.rename(folder + ".new", folder)
        warm(folder)
        return folder

    def row(self, work, peer, ours, target, met, unit="s", peer_name="", ratio=None, note=""):
        self.rows.append({"work": work, "peer_name": peer_name, "peer": peer, "ours": ours, "ratio": ratio, "target": target, "met": met, "unit": unit, "note": note})
        r = self.rows[-1]
        show = lambda v: "-" if v is None else f"{v:.4g}"
        print(f"{work}: {peer_name or 'peer'} {show(peer)}, inlet {show(ours)} {unit}, ratio {show(ratio)}, target {target}: {'met' if met else 'NOT MET'} {note}", flush=True)

    def faster(self, work, peer_name, pairs, times, target=None):
        """A row whose ratio is peer / ours, the median over pairs."""
        ratio = statistics.median(p / o for p, o in pairs)
        self.row(work, median(p for p, _ in pairs), median(o for _, o in pairs), target or f"≥ {times:g} ×", ratio >= times, peer_name=peer_name, ratio=ratio)

    def cheaper(self, work, peer_name, pairs, share, extra=0.0):
        """A row whose ratio is ours / peer, the median over pairs; `extra` seconds of ours are allowed beside."""
        ratio = statistics.median((o - extra) / p for p, o in pairs)
        self.row(work, median(p for p, _ in pairs), median(o for _, o in pairs), f"≤ {share:g} ×", ratio <= share, peer_name=peer_name, ratio=ratio,
                 note=f"{extra * 1000:.1f} ms of it beside the target" if extra else "")

def median(values): return statistics.median(list(values))

def warm(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as f:
                while f.read(1 << 22): pass

def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path

def write_pipeline(work, load, columns, fmt="json", sink="parquet", reader=None, writer=None, trigger=None):
    tree = {"readStream": {"format": fmt, "schema": columns, "load": load, "options": reader or {}},
            "writeStream": {"format": sink, "options": {"checkpointLocation": os.path.join(work, "checkpoint"), **(writer or {})}, "start": os.path.join(work, "out")}}
    if trigger is not None: tree["writeStream"]["trigger"] = trigger
    path = os.path.join(work, "pipeline.yaml")
    with open(path, "w") as f: json.dump(tree, f)
    return path

def shape_pipeline(work, shape, load, codec="snappy"):
    reader = {"header": "true"} if shapes.suffix(shape) == "csv" else {"multiLine": "true"} if shape == "pretty" else {}
    return write_pipeline(work, load, shapes.spark_ddl(shape), shapes.suffix(shape), "parquet", reader, {"compression": codec})

def environment(threads=2): return {**os.environ, "TZ": "UTC", "INLET_THREADS": str(threads)}

def run_inlet(pipeline, threads=2):
    """Seconds from start to end of the process, and its summary."""
    start = time.perf_counter()
    done = subprocess.run([INLET, "once", "--quiet", "--json", pipeline], capture_output=True, env=environment(threads))
    elapsed = time.perf_counter() - start
    if done.returncode != 0: raise RuntimeError(f"inlet once: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")
    lines = done.stdout.decode().strip().split("\n")
    return elapsed, json.loads(lines[-1]) if lines[-1] else {}

def run_peer(name, shape, codec, glob, out, threads=2):
    done = subprocess.run([sys.executable, os.path.join(HERE, "peer.py"), name, shape, codec, glob, out, str(threads)], capture_output=True)
    if done.returncode != 0: raise RuntimeError(f"{name}: {done.stderr.decode()[-1500:]}")
    return float(done.stdout.split()[-1])

class Memory(threading.Thread):
    """Greatest RssAnon of a process, in bytes, looked at every few milliseconds."""
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, False
        self.start()

    def run(self):
        while not self.ended:
            self.peak = max(self.peak, anonymous(self.pid))
            time.sleep(0.004)

def anonymous(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon"): return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0

def tree_bytes(folder, suffix=".parquet"):
    return sum(os.path.getsize(os.path.join(base, n)) for base, _, names in os.walk(folder) for n in names if n.endswith(suffix))

def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 1048576
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory), "kernel": platform.release().split("-")[0], "date": time.strftime("%Y-%m-%d")}

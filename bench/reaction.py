"""reaction -- how soon: from a producer's close() to a durable commit, by inotify; and the program's start."""
import os, select, statistics, struct, subprocess, time
import shapes
from measure import *

def read_exactly(fd, size, seconds):
    got = b""
    while len(got) < size:
        if not select.select([fd], [], [], seconds)[0]: raise RuntimeError("no batch was committed within 20 s")
        got += os.read(fd, size - len(got))
    return got

def latency(bench, sink):
    """2,000 files of 100 records, one every 20 ms; a preloaded fsync() tells when the directory of the sink's log has been synced."""
    work = fresh(bench.path("work"))
    landing = os.path.join(work, "in")
    os.makedirs(landing)
    library = bench.path("synced.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-std=c17", "-D_GNU_SOURCE", "-o", library, os.path.join(HERE, "synced.c"), "-ldl"], check=True)
    pipeline = write_pipeline(work, landing, shapes.spark_ddl("tree"), fmt="cloudFiles", sink=sink, reader={"cloudFiles.format": "json", "cloudFiles.useNotifications": "true"})
    told, tell = os.pipe()
    service = subprocess.Popen([INLET, "run", "--quiet", pipeline], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[tell],
                               env={**environment(bench.threads), "LD_PRELOAD": library, "SYNCED_FD": str(tell)})
    text = "".join('{"id":%d,"kind":"click","value":%d}\n' % (i, i % 7) for i in range(100))
    times = []
    try:
        time.sleep(1.0)
        for number in range(20 + bench.scale(2000)):
            began = time.monotonic()
            with open(os.path.join(landing, f"event-{number:013d}.json"), "w") as out: out.write(text)
            closed = time.clock_gettime(time.CLOCK_MONOTONIC)
            synced = struct.unpack("=d", read_exactly(told, 8, 20))[0]
            if number >= 20: times.append(synced - closed)  # The first ones find cold code.
            time.sleep(max(0.0, 0.020 - (time.monotonic() - began)))
    finally:
        service.terminate()
        service.wait()
        os.close(told)
        os.close(tell)
    times.sort()
    return times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000

def inotify(bench):
    for sink in ("parquet", "delta"):
        p50, p99 = latency(bench, sink)
        bench.row(f"latency by inotify, {sink}, p50", None, p50, "≤ 3 ms", p50 <= 3, unit="ms")
        bench.row(f"latency by inotify, {sink}, p99", None, p99, "≤ 10 ms", p99 <= 10, unit="ms")

def start(bench):
    times = []
    for _ in range(200):
        before = time.perf_counter()
        pid = os.posix_spawn(INLET, [INLET, "--version"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        os.waitpid(pid, 0)
        times.append(time.perf_counter() - before)
    spent = statistics.median(times) * 1000
    bench.row("inlet --version", None, spent, "≤ 3 ms", spent <= 3, unit="ms")
    lines = len(subprocess.run(["ldd", INLET], capture_output=True, text=True).stdout.strip().split("\n"))
    bench.row("lines of ldd", None, lines, "≤ 15", lines <= 15, unit="lines")

WORKLOADS = [inotify, start]

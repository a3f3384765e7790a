"""Kills inlet at random moments while files keep landing and being cleaned: every record is in the output once.

INLET_KILLS: restarts per sink (default 120)."""
import json, os, random, signal, subprocess, time
from lib import *

KILLS = int(os.environ.get("INLET_KILLS", "120"))

def producer_step(rng, state):
    """Lands a few files of random size, sometimes gzipped, by rename; remembers what must come out."""
    import gzip
    for _ in range(rng.randrange(0, 4)):
        n = state["files"]
        state["files"] += 1
        count = rng.choice([0, 1, 3, 200, 3000])
        ids = list(range(state["next"], state["next"] + count))
        state["next"] += count
        text = "".join(json.dumps({"a": i, "b": "x" * (i % 50)}) + "\n" for i in ids).encode()
        name = f"landing/f{n:06d}.json"
        if rng.random() < 0.2:
            name, text = name + ".gz", gzip.compress(text)
        land(name, text)

def torture(sink, clean, seed):
    rng = random.Random(seed)
    options = {"maxFilesPerTrigger": "3"}
    if clean == "archive":
        options.update(cleanSource="archive", sourceArchiveDir="archive")
    elif clean == "delete":
        options.update(cleanSource="delete")
    pipeline(reader=options, sink=sink)
    state = {"files": 0, "next": 0}
    for round_number in range(KILLS):
        producer_step(rng, state)
        p = subprocess.Popen([INLET, rng.choice(["once", "run"]), "p.yaml"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC"})
        time.sleep(rng.choice([0.002, 0.01, 0.03, 0.06, 0.1]) * rng.random() * 2)
        if rng.random() < 0.3:
            producer_step(rng, state)
        p.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        err = p.communicate()[1].decode()
        # -15: the signal came before the program had begun.
        assert p.returncode in (0, -9, -15), f"round {round_number}: exit {p.returncode}: {err}"
    result = once()
    got = sorted(r["a"] for r in rows(fmt=sink))
    equal(len(got), state["next"], f"rows after {KILLS} restarts ({result.summary})")
    equal(got, list(range(state["next"])), "ids")
    states = {}
    for f in files():
        states[f["state"]] = states.get(f["state"], 0) + 1
    assert set(states) <= {"committed", "unsettled"}, states
    if clean:
        # Empty young files settle after a minute; all others must be gone from the landing zone.
        left = [n for n in os.listdir("landing") if os.path.getsize("landing/" + n) > 0]
        equal(left, [], "files left in the landing zone")
    has(inlet("fsck", "p.yaml").out, "sound")

@test
def kill_parquet_archive():
    """Parquet with archive survives kill -9 at random moments"""
    torture("parquet", "archive", SEED)

@test
def kill_delta_delete():
    """Delta with delete survives kill -9 at random moments"""
    torture("delta", "delete", SEED + 1)

@test
def kill_json():
    """JSON without cleaning survives kill -9 at random moments"""
    torture("json", None, SEED + 2)

main()

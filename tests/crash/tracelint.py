"""tracelint -- rules of order that a list of system calls must keep. One journalling file system hides their breach from every crash
test, because it commits names and contents together; fsync(2) promises no such thing.

  lint(workload, folder, calls)  -> breaches, as sentences
      calls: the lines of `crashpoint --list` of an undisturbed run: [number, class, name, result, path, second path], by when they
      ended; numbered by when they began. Threads may have run beside each other: a sync counts for what ended before it and began before it.

  1  A file that gets a name others go by (rename, link) is synced before. Not the identity beside a log's entry: it says nothing
     without the entry, ahead of which it and its name must be synced.
  2  A name that is new is synced (its folder) before the next commit of the ledger, a folder's too.
  3  Data files and their folders are synced before the sink's log names them.
  4  The sink's log is written by link, never by a rename or in place.
  5  A source file goes only behind the ledger's commit of its batch.
  6  That it went is synced before the ledger hears of it; so is the archive's new name.
  7  A sync that failed is not tried again on the same file with nothing written in between (lint_failed_sync)."""
import os, re

META = "120"  # LMDB writes the page that makes a transaction stand with 120 bytes, through a descriptor that syncs.
IDENTITY = re.compile(r"/_spark_metadata/\.\d+\.inlet$")
UNNAMED = re.compile(r"/(inlet\.lock|lock\.mdb)$")

def parent(path):
    return os.path.dirname(path.rstrip("/"))

class State:
    def __init__(self, workload, folder):
        self.workload, self.folder = workload, folder
        self.dirty = {}      # File -> number of the write that is not synced.
        self.names = {}      # (Folder, name) -> number of the call that made or took it.
        self.logged = set()  # Batches in the sink's log.
        self.committed = -1  # Newest batch that the ledger has committed.
        self.breaches = []
    def breach(self, number, text):
        self.breaches.append(f"call {number}: {text}".replace(self.folder, ""))
    def below(self, path, place):
        return path.startswith(os.path.join(self.folder, place) + "/") or path == os.path.join(self.folder, place)

def is_staged(path):
    return "/_inlet/" in path or path.endswith("/_inlet")

def batch_of_log(path):
    found = re.search(r"/_spark_metadata/(\d+)(\.compact)?$", path) or re.search(r"/_delta_log/(\d{20})\.json$", path)
    return int(found.group(1)) if found else None

def source_index(state, path):
    found = re.search(r"/landing/f(\d+)\.json$", path)
    return int(found.group(1)) if found and state.below(path, "landing") else None

def on_name(state, number, name, old, new):
    """old (None: made in place) gets the name new."""
    if old in state.dirty and not IDENTITY.search(new): state.breach(number, f"{new} gets its name, but what was written to it is not synced")
    for path in [path for path in state.dirty if path.startswith(old + "/")]:
        state.breach(number, f"{new} gets its name, but {path} in it is not synced")
    for folder, entry in [key for key in state.names if key[0] == old]:
        state.breach(number, f"{new} gets its name, but the name {entry} in it is not synced")
    batch = batch_of_log(new)
    if batch is None: return
    if name not in ("link", "linkat"): state.breach(number, f"the log's {new} is written by {name}, which may replace another writer's")
    for path in state.dirty:
        if state.below(path, "out"): state.breach(number, f"the log names the batch, but {path} is not synced")
    for (folder, entry), _ in state.names.items():
        is_log = "_log" in folder or ("_spark_metadata" in folder and not IDENTITY.search("/_spark_metadata/" + entry))
        if state.below(folder, "out") and not is_staged(os.path.join(folder, entry)) and not is_log:
            state.breach(number, f"the log names the batch, but the name {entry} in {folder} is not synced")
    state.logged.add(batch)

def on_gone(state, number, path):
    index = source_index(state, path)
    if index is None: return
    batch = index // state.workload.per_trigger
    if state.workload.exactly_once and state.committed < batch:
        state.breach(number, f"the source file {path} goes, but its batch {batch} is not committed")

def on_commit(state, number):
    for (folder, entry), since in state.names.items():
        path = os.path.join(folder, entry)
        state.breach(number, f"the ledger commits, but the name {entry} in {folder} (call {since}) is not synced")
    state.names.clear()
    state.committed = max(state.logged, default=-1)

def lint(workload, folder, calls):
    state = State(workload, folder)
    for number, kind, name, result, path, path2 in calls:
        if not result.lstrip("-").isdigit() or int(result) < 0: continue
        number = int(number)
        if state.below(path2 or path, "got"): continue  # The command's own.
        if kind == "create":
            if "#" not in os.path.basename(path) and not path.endswith("/.") and not UNNAMED.search(path):
                state.names[parent(path), os.path.basename(path)] = number
        elif kind in ("write", "truncate"):
            if path.endswith("/data.mdb") and name == "pwrite" and result == META:
                if path.endswith("/ledger/data.mdb"): on_commit(state, number)  # Else it is a ledger in the making.
            elif not UNNAMED.search(path) and "/ledger" not in path:
                state.dirty[path] = number
            elif path.endswith("/data.mdb") and kind == "write":
                state.dirty[path] = number
        elif kind == "sync":
            if state.dirty.get(path, number) < number: del state.dirty[path]
            for key in [key for key, since in state.names.items() if key[0] == path and since < number]: del state.names[key]
        elif kind == "mkdir":
            state.names[parent(path), os.path.basename(path)] = number
        elif kind in ("rename", "link"):
            on_name(state, number, name, path, path2)
            state.names[parent(path2), os.path.basename(path2)] = number
            if kind == "rename":
                state.names.pop((parent(path), os.path.basename(path)), None)
                on_gone(state, number, path)
                if state.below(path, "landing"): state.names[parent(path), os.path.basename(path) + " (gone)"] = number
        elif kind in ("unlink", "rmdir"):
            state.names.pop((parent(path), os.path.basename(path)), None)
            on_gone(state, number, path)
            if state.below(path, "landing"): state.names[parent(path), os.path.basename(path) + " (gone)"] = number
    return state.breaches

def lint_failed_sync(calls):
    failed, breaches = set(), []
    for number, kind, name, result, path, _ in calls:
        if kind in ("write", "create", "truncate"): failed.discard(path)
        if kind != "sync": continue
        if path in failed: breaches.append(f"call {number}: {path} is synced again after a sync of it has failed")
        if result == "EIO": failed.add(path)
    return breaches

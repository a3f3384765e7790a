"""powercut -- what a disk may hold after the power has gone, by the promises of fsync(2) and not by what one file system happens to do.

  disk = Disk(roots)                 everything below the roots as it is: durable
  disk.play(calls(record), upto)     what a run did (`crashpoint --record`), its first calls; may go on with a next run's record
  disk.survive(how, rng)             a tree that may be found after the power cut: {name: tree, or File}
  rebuild(folder, tree)

The model. A file has bytes that are durable and writes, sizes and times that are not yet; a sync of the file makes all of them durable, a
write through O_SYNC or O_DSYNC its own range. A folder has names that are durable and newer ones; a sync of the folder makes those durable, and
no other sync does. Of what is not durable any part may survive:
  - each name of a folder may be any that it was since the folder was synced;
  - each write may be there, or not, or torn between sectors; a file may have its size without its bytes;
  - a rename is one step, both names or neither -- unless one of its two folders was synced and the other was not: who syncs
    the old name's folder first may lose the file."""
import os, stat

SECTOR = 512
SYNCHRONOUS = os.O_SYNC | os.O_DSYNC

class Call:
    def __init__(self, line, data):
        number, self.kind, self.name, self.file, self.other, offset, flags, _, self.path, self.path2 = line.split("\t")
        self.number, self.offset, self.flags, self.data = int(number), int(offset), int(flags), data

def calls(path):
    with open(path, "rb") as f: record = f.read()
    at, found = 0, []
    while at < len(record):
        end = record.index(b"\n", at)
        line = record[at:end].decode("utf-8", "surrogateescape")
        length = int(line.split("\t")[7])
        found.append(Call(line, record[end + 1:end + 1 + length]))
        at = end + 1 + length + 1
    return found

def check_syncs(record):
    """Calls are numbered by when they began and recorded by when they ended. What another thread did to a file or folder while it was being synced may be
    covered by that sync or not; the model has no such thing, and inlet never does it."""
    newest = {}
    for call in record:
        if call.kind == "sync": assert newest.get(call.path, 0) < call.number, f"{call.path} was changed while it was synced (call {call.number})"
        else:
            for path in filter(None, (call.path, call.path2)): newest[path] = newest[os.path.dirname(path)] = call.number

class File:
    """base: durable; writes: since then; origin: the path of the same file where it was not written to."""
    def __init__(self, origin=None, mtime=None):
        self.base, self.writes, self.origin, self.mtime = b"", [], origin, mtime
    def apply(self, writes):
        """The content and the time with these writes on it."""
        content, mtime = bytearray(self.base), self.mtime
        for kind, at, data in writes:
            if kind == "time": mtime = at
            elif kind == "size": content = content[:at] + bytes(max(0, at - len(content)))
            else:  # "room" is a size that grows only.
                content += bytes(max(0, (data if kind == "room" else at) - len(content)))
                if kind == "data": content[at:at + len(data)] = data
        return bytes(content), mtime
    def sync(self):
        self.base, self.mtime = self.apply(self.writes)
        self.writes = []
    def write_through(self, at, data):
        """Only the range is durable, and what was written to it before."""
        over = [w for w in self.writes if w[0] == "size" or (w[0] == "data" and w[1] < at + len(data) and at < w[1] + len(w[2]))]
        self.base, _ = self.apply([*over, ("data", at, data)])
        self.writes = [w for w in self.writes if w not in over]

class Folder:
    """names: durable; newer: of each name, what it was since: (File, Folder or None, the rename that did it)."""
    def __init__(self):
        self.names, self.newer = {}, {}
    def get(self, name):
        return self.newer[name][-1][0] if name in self.newer else self.names.get(name)
    def put(self, name, node, move=None):
        self.newer.setdefault(name, []).append((node, move))
    def sync(self):
        for name, history in self.newer.items(): self.names[name] = history[-1][0]
        self.newer = {}

class Move:
    """A rename: the old name of the source folder goes, the new one of the target folder comes."""
    def __init__(self, source, old, target, new):
        self.source, self.old, self.target, self.new = source, old, target, new

class Disk:
    def __init__(self, roots):
        """roots: {path: where the same files lie by other names, None: an empty one}."""
        self.files, self.roots, self.moves = {}, {}, []
        for path, origin in roots.items(): self.roots[path] = self.scan(path, origin)
    def scan(self, path, origin):
        folder, info = Folder(), os.lstat(path)
        self.files[f"{info.st_dev}:{info.st_ino}"] = folder
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name) if origin else ():
            if entry.is_dir(follow_symlinks=False): node = self.scan(entry.path, os.path.join(origin, entry.name))
            else:
                info = entry.stat(follow_symlinks=False)
                node = File(os.path.join(origin, entry.name))
                self.files[f"{info.st_dev}:{info.st_ino}"] = node
            folder.names[entry.name] = node
        return folder

    def find(self, path):
        """The folder and the name in it; None where the path lies elsewhere."""
        path = os.path.normpath(path)
        root = next((root for root in self.roots if path == root or path.startswith(root + "/")), None)
        if root is None: return None
        folder, words = self.roots[root], path[len(root):].strip("/").split("/")
        for word in words[:-1]: folder = folder.get(word)
        return (folder, words[-1]) if words[-1] else (folder, None)

    def at(self, path):
        folder, name = self.find(path)
        return folder.get(name)

    def play(self, record, upto=None):
        for call in record[:upto]:
            place = self.find(call.path) if call.path.startswith("/") else None
            if place is None and call.file not in self.files: continue
            getattr(self, "on_" + call.kind)(call)

    def on_create(self, call):
        nameless = (call.flags & os.O_TMPFILE) == os.O_TMPFILE
        known = None if nameless else self.at(call.path)
        if known is None:
            known = self.files[call.file] = File()
            if not nameless: self.put(call.path, known)
        elif call.flags & os.O_TRUNC: known.writes.append(("size", 0, None))
    def on_write(self, call):
        file = self.files[call.file]
        if call.flags & SYNCHRONOUS: file.write_through(call.offset, call.data)
        else: file.writes.append(("data", call.offset, call.data))
    def on_truncate(self, call):
        self.files[call.file].writes.append(("size", call.offset, None))
    def on_attribute(self, call):
        if call.name == "utimensat": self.files[call.file].writes.append(("time", call.offset, None))
    def on_sync(self, call):
        self.files[call.file].sync()
    def on_mkdir(self, call):
        self.files[call.file] = Folder()
        self.put(call.path, self.files[call.file])
    def on_link(self, call):
        assert call.name in ("link", "linkat"), f"{call.name} is not in the model"
        self.put(call.path2, self.files[call.other])
    def on_rename(self, call):
        source, old = self.find(call.path)
        target, new = self.find(call.path2)
        node = source.get(old)
        assert self.files[call.other] is node, f"{call.path2} is another file than {call.path} was"
        move = Move(source, old, target, new)
        self.moves.append(move)
        target.put(new, node, move)
        source.put(old, None, move)
    def on_unlink(self, call):
        self.put(call.path, None)
    on_rmdir = on_unlink

    def put(self, path, node):
        folder, name = self.find(path)
        folder.put(name, node)

    # --- What survives ------------------------------------------------------------------------------

    def survive(self, how, rng):
        """how: all, lost (nothing that is not durable), names (and no bytes), sizes (names, and zeros for bytes), bytes (and no names), random."""
        self.how, self.rng, self.chosen = how, rng, {}
        for root in self.roots.values(): self.choose(root, set())
        while any([self.keep_whole(move) for move in self.moves]): pass
        return {path: self.tree(root) for path, root in self.roots.items()}

    def choose(self, folder, done):
        """Of each name how many of its newer states have reached the disk; below every folder that it may be."""
        if id(folder) in done: return
        done.add(id(folder))
        for name, history in folder.newer.items():
            if self.how == "random": count = self.rng.randrange(len(history) + 1)
            else: count = 0 if self.how in ("lost", "bytes") else len(history)
            self.chosen[id(folder), name] = count
        nodes = [*folder.names.values(), *(node for history in folder.newer.values() for node, _ in history)]
        for node in nodes:
            if isinstance(node, Folder): self.choose(node, done)

    def step_of(self, folder, name, move):
        """The number of states of the name up to this move; 0 where it is durable."""
        return next((i + 1 for i, (_, by) in enumerate(folder.newer.get(name, ())) if by is move), 0)

    def keep_whole(self, move):
        """The old name has gone and the new one is there, or neither. One side may be durable alone, where only its folder was synced."""
        away, here = self.step_of(move.source, move.old, move), self.step_of(move.target, move.new, move)
        if not away or not here: return False
        old, new = (id(move.source), move.old), (id(move.target), move.new)
        has_gone, is_there = self.chosen.get(old, 0) >= away, self.chosen.get(new, 0) >= here
        if has_gone == is_there: return False
        if has_gone: self.chosen[new] = here
        else: self.chosen[old] = away
        return True

    def tree(self, folder):
        found = {}
        for name in dict.fromkeys((*folder.names, *folder.newer)):
            count = self.chosen.get((id(folder), name), 0)
            node = folder.newer[name][count - 1][0] if count else folder.names.get(name)
            if isinstance(node, Folder): found[name] = self.tree(node)
            elif node is not None: found[name] = self.content(node)
        return found

    def content(self, file):
        """(Content, time, origin); the origin where nothing was ever written."""
        writes = file.writes
        if file.origin:
            assert not writes and not file.base, f"{file.origin} was written to"
            return None, None, file.origin
        if self.how in ("lost", "names"): writes = []
        elif self.how == "sizes": writes = [("room", 0, len(file.apply(writes)[0]))]
        elif self.how == "random":
            if not hasattr(file, "picked") or file.picked[0] is not self.chosen:
                file.picked = (self.chosen, [torn for write in writes for torn in self.tear(write)])  # One file under two names is still one.
            writes = file.picked[1]
        return (*file.apply(writes), None)

    def tear(self, write):
        kind, at, data = write
        luck = self.rng.random()
        if luck < 0.4: return [write]
        if luck < 0.7 or kind == "time": return []
        if kind == "size": return [write]
        if luck < 0.8: return [("room", at, at + len(data))]
        pieces, start = [], 0
        while start < len(data):
            end = min(len(data), (at + start) // SECTOR * SECTOR + SECTOR - at)
            if self.rng.random() < 0.5: pieces.append(("data", at + start, data[start:end]))
            start = end
        return pieces

def rebuild(folder, tree):
    """Makes the folder what the tree says; files that were never written to keep their identity."""
    for name, node in tree.items():
        path = os.path.join(folder, name)
        if isinstance(node, dict):
            os.mkdir(path)
            rebuild(path, node)
            continue
        content, mtime, origin = node
        if origin:
            os.link(origin, path)
            continue
        with open(path, "wb") as f: f.write(content)
        if mtime is not None: os.utime(path, ns=(mtime, mtime))

def digest(tree, into):
    """For telling whether a tree was there before."""
    for name in sorted(tree):
        node = tree[name]
        into.update(name.encode("utf-8", "surrogateescape") + b"\0")
        if isinstance(node, dict):
            into.update(b"{")
            digest(node, into)
            into.update(b"}")
        else:
            content, mtime, origin = node
            into.update(f"{len(content or b'')} {mtime} {origin}\0".encode() + (content or b""))

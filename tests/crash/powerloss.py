"""powerloss -- a recorded run of a workload, and what becomes of it where the power is cut after one of its calls."""
import copy, hashlib, os, random, shutil
from harness import *
import powercut

HOWS = ("lost", "names", "sizes", "bytes")  # And any number: a random part.

def syncs_of(reference):
    """The calls right before a sync, where most is in memory only."""
    return [int(call[0]) - 1 for call in reference.calls if call[1] == "sync" and int(call[0]) > 1]

class Recording:
    """A run in a folder of its own; killed: the number of the call a first run was killed after, the power goes while the next one mends."""
    def __init__(self, workload, killed=None):
        self.workload, self.killed, self.seen, self.scratch = workload, killed, set(), Scratch(workload)
    def __enter__(self):
        self.folder = self.scratch.__enter__()
        self.stash = self.folder + ".stash"
        shutil.copytree(self.folder, self.stash, copy_function=os.link)
        roots = {self.folder: self.stash}
        if self.workload.across: roots[os.path.dirname(self.workload.archive(self.folder))] = None
        self.start, self.now = powercut.Disk(roots), None
        self.before = self.run(f"--kill-after={self.killed}", code=137) if self.killed else []
        self.calls = self.run(code=0)
        self.test_model()
        return self
    def __exit__(self, *_):
        self.scratch.__exit__()
        shutil.rmtree(self.stash, ignore_errors=True)

    def run(self, *flags, code):
        record = self.stash + "/record"
        self.last = self.workload.traced(self.folder, f"--record={record}", *flags, only=EVERYTHING)
        assert self.last.code == code or (self.last.code == 0 and not self.workload.steady), self.last
        calls = powercut.calls(record)
        powercut.check_syncs(calls)
        os.unlink(record)
        os.unlink(os.path.join(self.folder, "list"))
        return calls

    def disk(self, number):
        """As it is after that call of the run that was recorded last. What comes later in the record is played on."""
        if self.now is None or self.at > number:
            self.now, self.at = copy.deepcopy(self.start), 0
            self.now.play(self.before)
        self.now.play(self.calls[self.at:number])
        self.at = number
        return self.now

    def test_model(self):
        """With all that was written on it the disk is what the folder is."""
        for root, tree in self.disk(len(self.calls)).survive("all", None).items():
            if root == self.folder: self.compare(tree, root)
    def compare(self, tree, path):
        lib.equal(sorted(tree), sorted(os.listdir(path)), f"names in {path}")
        for name, node in tree.items():
            if isinstance(node, dict): self.compare(node, os.path.join(path, name))
            elif name != "lock.mdb" and not node[2]: lib.equal(node[0], open(os.path.join(path, name), "rb").read(), f"{path}/{name}")

    def rebuild(self, trees):
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        if self.workload.across: shutil.rmtree(self.workload.archive(self.folder), ignore_errors=True)
        for root, tree in trees.items(): powercut.rebuild(root, tree)

    def new_trees(self, number, how):
        """What is on the disk where the power goes after that call; None where such a tree was there before."""
        trees = self.disk(number).survive(how if how in HOWS else "random", random.Random(f"{number} {how}"))
        found = hashlib.md5()
        for tree in trees.values(): powercut.digest(tree, found)
        if found.digest() in self.seen: return None
        self.seen.add(found.digest())
        return trees

    def judge(self, reference, number, how, trees):
        """Mends what is left; None, or what went wrong."""
        try:
            self.rebuild(trees)
            check_meanwhile(self.workload, self.folder, self.last)
            check_recovery(self.workload, reference, self.folder, self.last)
            return None
        except Exception as fault:
            call = self.calls[number - 1] if number else None
            what = plain(f"{call.name} {call.path} {call.path2}".replace(self.folder, "HERE")) if call else "the start"
            where = f"{self.killed}/{number}" if self.killed else number
            return f"{self.workload.name}:{where}:{how} power lost behind {what}: {fault}"

    def cut(self, reference, number, how):
        """Cuts the power after that call, then mends; None, or what went wrong."""
        trees = self.new_trees(number, how)
        return trees and self.judge(reference, number, how, trees)

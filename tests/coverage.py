"""coverage -- branch coverage of rooms, from the counters of a build with --coverage (`make coverage`).

  coverage.py BUILD BAR ROOM...   prints a table a room and the files with most branches never taken; fails under BAR percent
  COVERAGE_SHOW=loader/clean.c    prints that file's lines with branches never taken

Not counted, because nothing but a broken program or a full memory takes them: branches on lines with invariant( or panic_, which are
assertions and the end without memory. How many those are is printed. Processes that were killed leave no counters."""
import json, os, re, subprocess, sys

BUILD, BAR, ROOMS = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
EXCLUDED = re.compile(r"\binvariant\(|\bpanic_|\bassert\(")
WORST = 15

def counts_of(note):
    """{line: [times each branch was taken]} and the lines that never ran, of one object."""
    report = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", note], capture_output=True, check=True).stdout
    source = os.path.relpath(note, BUILD)[:-len(".gcno")] + ".c"
    for line in report.splitlines():
        for file in json.loads(line)["files"]:
            if file["file"] == source: return source, file["lines"]
    return source, []

def measure(source, lines):
    text = open(source).read().split("\n")
    taken = total = left_out = ran = 0
    missed = []
    for line in lines:
        ran += line["count"] > 0
        branches = [branch["count"] > 0 for branch in line["branches"]]
        if EXCLUDED.search(text[line["line_number"] - 1]):
            left_out += len(branches)
            continue
        taken, total = taken + sum(branches), total + len(branches)
        if not all(branches): missed.append((line["line_number"], branches.count(False), len(branches)))
    return {"file": source, "taken": taken, "total": total, "left_out": left_out, "lines": len(lines), "ran": ran, "missed": missed}

def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0

def row(name, files):
    taken, total, lines, ran, left = (sum(f[key] for f in files) for key in ("taken", "total", "lines", "ran", "left_out"))
    print(f"{name:<28} {percent(taken, total):6.1f} {taken:>7} of {total:<6} {percent(ran, lines):7.1f} {left:>9}")
    return percent(taken, total)

def main():
    files = []
    for room in ROOMS:
        for name in sorted(os.listdir(os.path.join(BUILD, room))):
            if name.endswith(".gcno"): files.append(measure(*counts_of(os.path.join(BUILD, room, name))))
    print(f"{'':<28} {'branch%':>6} {'taken':>7} {'':<9} {'line%':>7} {'left out':>9}")
    for room in ROOMS: row(room, [f for f in files if f["file"].startswith(room + "/")])
    all_of_it = row("all", files)
    print("\nmost branches never taken:")
    for f in sorted(files, key=lambda f: f["taken"] - f["total"])[:WORST]: row(f["file"], [f])
    for f in files:
        if f["file"] != os.environ.get("COVERAGE_SHOW"): continue
        text = open(f["file"]).read().split("\n")
        for number, never, of in f["missed"]: print(f"{f['file']}:{number}: {never} of {of}: {text[number - 1].strip()}")
    if all_of_it < BAR:
        print(f"\n{all_of_it:.1f} % is under the bar of {BAR:g} %")
        return 1
    return 0

sys.exit(main())

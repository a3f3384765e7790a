#!/usr/bin/env python3
"""tidy -- style as a test: floors, file openings, lengths, banned calls, leftovers. Speaks TAP."""
import os, re, subprocess, sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
FLOORS = {"base": 0, "columns": 1, "stores": 1, "formats": 2, "engine": 3, "listing": 4, "notify": 4, "sources": 4, "sinks": 4, "loader": 5, "cli": 6}
# Foreign libraries and the only places that may include them.
LIBRARIES = {"lmdb.h": ["base/kv.c"], "jansson.h": ["base/json.c"], "yaml.h": ["base/yaml.c"], "xxhash.h": ["base/uuid.c"],
             "zlib.h": ["formats/codecs_zlib.c"], "bzlib.h": ["formats/codecs_bzip2.c"], "zstd.h": ["formats/codecs_zstd.c"],
             "lz4.h": ["formats/codecs_lz4.c"], "lz4frame.h": ["formats/codecs_lz4.c"], "snappy-c.h": ["formats/codecs_snappy.c"]}
BANNED = r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|system|popen|tmpnam|mktemp|gmtime|localtime|setlocale)\s*\("
LEFTOVER = r"\b(TODO|FIXME|HACK|not implemented|unimplemented|stub)\b"

names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.c", "*.h", "*.inc"], capture_output=True, text=True).stdout.split()
files = {n: open(n, encoding="utf-8", errors="replace").read() for n in names if os.path.exists(n)}
results = []

def check(title, faults):
    results.append((title, faults))

def includes_upwards():
    for name, text in files.items():
        room = name.split("/")[0]
        for other in re.findall(r'#include "([a-z]+)/', text):
            if room in FLOORS and other in FLOORS and other != room and FLOORS[other] >= FLOORS[room]:
                yield f"{name} includes {other}/"

def foreign_libraries():
    for name, text in files.items():
        for header, homes in LIBRARIES.items():
            if re.search(rf"#include <{re.escape(header)}>", text) and name not in homes and not name.startswith("tests/"):
                yield f"{name} includes <{header}>"

def openings():
    for name, text in files.items():
        base = os.path.basename(name).rsplit(".", 1)[0]
        if not name.startswith("tests/") and not re.match(rf"/\* {re.escape(base)}(\.\w+)? -- ", text):
            yield f"{name} does not open with its purpose (/* {base} -- ...)"

def shipped(pattern):
    for name, text in files.items():
        if name.startswith(("tests/", "bench/")):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(pattern, line):
                yield f"{name}:{number}: {line.strip()[:80]}"

check("rooms include only from floors below their own", list(includes_upwards()))
check("each foreign library is included by one file", list(foreign_libraries()))
check("each file opens with its purpose", list(openings()))
check("no file is longer than 1,200 lines", [f"{n}: {t.count(chr(10))} lines" for n, t in files.items() if t.count("\n") > 1200])
check("no unsafe call of the C library", list(shipped(BANNED)))
check("no leftovers in what ships", list(shipped(LEFTOVER)))
# Help texts and messages may be long; code may not.
check("no line is longer than 180 columns beside its texts", [f"{n}:{i}" for n, t in files.items() if not n.endswith(".inc") and not n.startswith("tests/")
      for i, l in enumerate(t.split("\n"), 1) if len(re.sub(r'"[^"]*"', '""', l)) > 180])

print(f"1..{len(results)}")
bad = 0
for number, (title, faults) in enumerate(results, 1):
    print(("not ok" if faults else "ok") + f" {number} - {title}")
    for fault in faults[:20]:
        print("#   " + fault)
    bad += bool(faults)
sys.exit(1 if bad else 0)

#!/usr/bin/env python3
"""docs_test -- what is written for people is true: generated pages, manual, completion, examples, README, installation."""
import glob, json, os, re, shutil, signal, socket, subprocess, sys, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
PAGES = ["README.md"] + sorted(os.path.relpath(p, ROOT) for p in glob.glob(ROOT + "/docs/*.md"))

def text(path):
    return open(os.path.join(ROOT, path), encoding="utf-8").read()

def command(*words, **more):
    p = subprocess.run(words, capture_output=True, text=True, **more)
    assert p.returncode == 0, f"{words}: exit {p.returncode}\n{p.stdout[-3000:]}\n{p.stderr[-3000:]}"
    return p.stdout

def verbs():
    return re.findall(r"^  (\w+) +\S", inlet("--help").out.split("Flags of every verb")[0], re.M)

def flags(verb):
    return re.findall(r"^  (--[\w-]+)", inlet(verb, "--help").out, re.M)

def blocks(page, language=""):
    """Fenced blocks of a language; those without one are commands or output."""
    return [b for l, b in re.findall(r"^```(\w*)\n(.*?)^```", text(page), re.M | re.S) if l == language]

def need(program):
    if not shutil.which(program):
        raise Skip(f"there is no {program}")

@test
def generated_pages():
    """docs/options.md, docs/errors.md and the JSON Schema are what the program and the sources say (else: make docs)"""
    equal(text("docs/options.md"), inlet("options", "--page").out, "docs/options.md")
    equal(text("etc/pipeline.schema.json"), inlet("options", "--schema").out, "etc/pipeline.schema.json")
    json.loads(text("etc/pipeline.schema.json"))
    equal(text("docs/errors.md"), command(ROOT + "/etc/list-errors"), "docs/errors.md")
    names = set(re.findall(r'^CONDITION\(\w+, "([^"]+)"', text("base/conditions.def"), re.M)) - {"NONE"}
    equal(set(re.findall(r"^\| `([^`]+)`", text("docs/errors.md"), re.M)), names)

@test
def manual_page():
    """the manual has every verb and every flag, and groff has nothing to say about it"""
    page = text("etc/inlet.1").replace("\\-", "-")
    for verb in verbs():
        has(page, f'"inlet {verb}"')
        for flag in flags(verb):
            has(page, flag)
    need("groff")
    p = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", ROOT + "/etc/inlet.1"], capture_output=True, text=True)
    equal(p.stderr, "")

@test
def completion():
    """bash completes every verb, and the flags of each"""
    def complete(*words):
        script = f"source '{ROOT}/etc/inlet.bash'; COMP_WORDS=(inlet {' '.join(words)}); COMP_CWORD={len(words)}; _inlet; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return command("bash", "-c", script).split()
    assert set(verbs()) <= set(complete("''")), complete("''")
    for verb in verbs():
        assert set(flags(verb)) <= set(complete(verb, "--")), (verb, flags(verb), complete(verb, "--"))
    write("a b.yaml", "")
    write("c.txt", "")
    os.mkdir("folder")
    equal(complete("once", "''"), ["a", "b.yaml", "folder"])
    formats = {line.split()[0] for line in inlet("options").out.split("\n") if line and "not built yet" not in line.split(",")[0]}
    has(" ".join(complete("options", "''")), *(f for f in formats if f != "conf"))

@test
def examples():
    """every example pipeline passes inlet check"""
    found = [p for p in sorted(glob.glob(ROOT + "/etc/examples/*")) + [ROOT + "/etc/demo/orders.yaml"] if not p.endswith(".schema.json")]
    assert len(found) > 5
    for path in found:
        result = inlet("check", path)
        equal(result.code, 0, repr(result))
        equal(result.err, "", path)

@test
def pipelines_in_pages():
    """every pipeline that a page shows passes inlet check"""
    count = 0
    for page in PAGES:
        for block in blocks(page, "yaml"):
            if "writeStream" not in block:
                continue
            write("p.yaml", block)
            result = inlet("check", "p.yaml")
            equal(result.code, 0, f"{page}: {result!r}")
            count += 1
    assert count >= 2, count

@test
def readme_five_minutes():
    """the five minutes of the README go as it says"""
    part = text("README.md").split("## Five minutes")[1].split("\n## ")[0]
    found = re.findall(r"^```(\w*)\n(.*?)^```", part, re.M | re.S)
    write("orders.yaml", next(b for l, b in found if l == "yaml"))
    script = "".join(b for l, b in found if l == "")
    os.mkdir("bin")
    os.symlink(INLET, "bin/inlet")
    out = command("bash", "-e", "-c", script, env={**os.environ, "TZ": "UTC", "PATH": os.getcwd() + "/bin:" + os.environ["PATH"]})
    has(out, "orders.yaml: ok: json -> parquet", "would take 1 file", '"rows":2', '"bad_records":1', "|  1|lamp| 39.9|", "|  2|desk| NULL|", '"batches":0', "[committed] loaded by batch 0: 2 rows")

@test
def readme_tour():
    """the tour names every room that exists and no other, and no file that does not"""
    tour = text("README.md").split("## A tour of the rooms")[1]
    try:
        listed = command("git", "-C", ROOT, "ls-files", "-z").split("\0")
        rooms = {p.split("/")[0] for p in listed if "/" in p and not p.startswith(".")}
    except (AssertionError, OSError):
        rooms = {n for n in os.listdir(ROOT) if os.path.isdir(os.path.join(ROOT, n)) and not n.startswith(".") and n != "build"}
    entries = re.findall(r"^- \*\*`(\w+)/`\*\*(.*?)(?=^- |\Z)", tour, re.M | re.S)
    equal({name for name, _ in entries}, rooms)
    for room, entry in entries:
        for name in re.findall(r"`([\w./*-]+)`", entry):
            assert glob.glob(os.path.join(ROOT, room, name)), f"{room}/{name} does not exist"
    assert len(text("README.md").split("\n")) < 250

@test
def the_map():
    """make map prints every file of the sources with a sentence"""
    lines = command(ROOT + "/etc/map").split("\n")
    room, seen = "", set()
    for line in filter(None, lines):
        if not line.startswith(" "):
            room = line
            continue
        name, sentence = line.split(None, 1)
        assert len(sentence) > 10, line
        seen.add(room + name)
    rooms = re.search(r"^ROOMS := (.*)", text("Makefile"), re.M)[1].split() + ["cli"]
    equal(seen, {os.path.relpath(p, ROOT) for r in rooms for e in ("c", "h", "inc", "def") for p in glob.glob(f"{ROOT}/{r}/*.{e}")})

@test
def links():
    """links between the pages lead somewhere"""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(page)):
            path = os.path.join(ROOT, os.path.dirname(page), target)
            assert os.path.exists(path), f"{page}: {target}"

@test
def names_in_pages():
    """verbs, conditions, options and exit statuses that the pages name exist"""
    known = {n.lower() for n in re.findall(r"^\| `([^`]+)` \|", text("docs/options.md"), re.M)}
    conditions = set(re.findall(r'^CONDITION\(\w+, "([^"]+)"', text("base/conditions.def"), re.M))
    for page in PAGES:
        if page in ("docs/options.md", "docs/reliability.md", "docs/performance.md"):
            continue
        words = re.sub(r"https?://\S+", "", text(page))
        for verb in re.findall(r"`inlet ([a-z]+)\b", words) + re.findall(r"^inlet ([a-z]+)\b", words, re.M):
            assert verb in verbs() + ["help"], f"{page}: inlet {verb}"
        for option in re.findall(r"\b((?:cloudFiles|spark\.sql)\.[\w.]*\w)", words):
            assert option.lower() in known, f"{page}: {option}"
        for condition in re.findall(r"`(INLET_[A-Z_]+|DELTA_[A-Z_]+|[A-Z]+_NOT_FOUND)`", words):
            assert condition in conditions or condition in ("INLET_BATCH_ID", "INLET_QUERY_ID", "INLET_QUERY_NAME", "INLET_ROWS", "INLET_PLAN_DIGEST", "INLET_RECENT_ROWS"), f"{page}: {condition}"
    statuses = sorted(int(n) for n in re.findall(r"EXIT_\w+ = (\d+)", text("base/error.h")))
    equal(sorted(int(n) for n in re.findall(r"^\| (\d+) \|", text("README.md").split("## Command line")[1].split("\n## ")[0], re.M)), statuses)
    equal(sorted(int(n) for n in re.findall(r"^\| (\d+) \|", text("docs/operations.md"), re.M)), statuses)
    equal(sorted(int(n) for n in re.findall(r"^\.B (\d+)$", text("etc/inlet.1"), re.M)), statuses)

PROGRAM = r"""
#include "base/context.h"
#include "columns/type.h"
#include "loader/pipeline.h"
#include "loader/stream.h"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    struct error err;
    struct inlet_context context;
    struct arena *arena = arena_new("test");
    struct stream_totals totals = {0};
    error_clear(&err);
    inlet_context_init(&context);
    struct pipeline *pipeline = pipeline_load(arena, argc > 1 ? argv[1] : "", &err);
    struct stream *stream = pipeline ? stream_open(pipeline, &context, false, &err) : NULL;
    if (!stream || !stream_run(stream, STREAM_DRAIN, &totals, &err)) {
        char text[4096];
        error_format(&err, text, sizeof text);
        return puts(text), 1;
    }
    printf("%lld rows\n", (long long)totals.rows_out);
    stream_close(stream);
    inlet_context_fini(&context);
    arena_free(arena);
    return 0;
}
"""

@test
def installation():
    """make install DESTDIR= puts everything in place; a C program builds against headers and libraries, and loads a file"""
    if "release" not in os.path.realpath(INLET):
        raise Skip("only the release build is installed")
    need("gcc")
    stage = os.getcwd() + "/stage"
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command("make", "-C", ROOT, "install", f"DESTDIR={stage}", "PREFIX=/opt/inlet", env=clean)
    top = stage + "/opt/inlet"
    wanted = ["bin/inlet", "lib/libinlet.a", "lib/libinlet.so", "share/man/man1/inlet.1", "share/bash-completion/completions/inlet", "share/inlet/pipeline.schema.json",
              "lib/systemd/system/inlet@.service", "lib/systemd/system/inlet-once@.service", "lib/systemd/system/inlet-once@.timer", "include/inlet/base/conditions.def"]
    wanted += ["include/inlet/" + os.path.relpath(p, ROOT) for r in re.search(r"^ROOMS := (.*)", text("Makefile"), re.M)[1].split() for p in glob.glob(f"{ROOT}/{r}/*.h")]
    for name in wanted:
        assert os.path.isfile(f"{top}/{name}"), name
    has(command(top + "/bin/inlet", "--version"), "inlet ")
    write("t.c", PROGRAM)
    libraries = re.search(r"^LIBS := (.*)", text("Makefile"), re.M)[1].split()
    pipeline(sink="json")
    command("gcc", "-std=c17", "-D_GNU_SOURCE", "-Wall", f"-I{top}/include/inlet", "-o", "static", "t.c", f"{top}/lib/libinlet.a", *libraries)
    command("gcc", "-std=c17", "-D_GNU_SOURCE", f"-I{top}/include/inlet", "-o", "shared", "t.c", f"-L{top}/lib", "-linlet", f"-Wl,-rpath,{top}/lib")
    land("landing/a.json", '{"a": 1, "b": "x"}\n{"a": 2}\n')
    equal(command("./static", "p.yaml"), "2 rows\n")
    land("landing/b.json", '{"a": 3}\n')
    equal(command("./shared", "p.yaml"), "1 rows\n")

@test
def each_header_stands_alone():
    """each installed header can be included first"""
    need("gcc")
    rooms = re.search(r"^ROOMS := (.*)", text("Makefile"), re.M)[1].split()
    headers = [os.path.relpath(p, ROOT) for r in rooms for p in sorted(glob.glob(f"{ROOT}/{r}/*.h"))]
    bad = []
    for header in headers:
        p = subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-I" + ROOT, "-x", "c", "-"], input=f'#include "{header}"\n', capture_output=True, text=True)
        if p.returncode:
            bad.append(header + ": " + p.stderr.split("\n")[0])
    equal(bad, [])

@test
def units():
    """systemd finds nothing wrong with the units"""
    need("systemd-analyze")
    os.mkdir("units")
    for name in ("inlet@.service", "inlet-once@.service", "inlet-once@.timer"):
        write("units/" + name, text("etc/" + name).replace("ExecStart=inlet", "ExecStart=" + INLET).replace("Documentation=man:inlet(1)\n", ""))
    p = subprocess.run(["systemd-analyze", "verify", *(os.path.abspath(u) for u in ("units/inlet@x.service", "units/inlet-once@x.service", "units/inlet-once@x.timer"))],
                       capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": os.path.abspath("units") + ":"})
    equal(p.stderr, "")

@test
def readiness():
    """systemd hears READY=1 from run, also where the pipeline only drains"""
    pipeline(sink="json", trigger={"availableNow": True})
    pipeline("q.yaml", sink="json", checkpoint="ck2", start="out2")
    land("landing/a.json", '{"a": 1}\n')
    for name, drains in (("p.yaml", True), ("q.yaml", False)):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind("notify" + name)
        listener.settimeout(20)
        with service(name, env={"NOTIFY_SOCKET": os.path.abspath("notify" + name)}) as p:
            equal(listener.recv(100), b"READY=1", name)
            if not drains:
                p.send_signal(signal.SIGTERM)
            equal(p.wait(20), 0, name)

def poison():
    """A pipeline with a planned batch of a good and a truncated file."""
    pipeline(sink="json")
    data = subprocess.run(["gzip", "-c"], input="".join('{"a": %d, "b": "%s"}\n' % (i, os.urandom(8).hex()) for i in range(5000)).encode(), capture_output=True).stdout
    land("landing/a.json", '{"a": 1}\n')
    land("landing/b.json.gz", data[:len(data) // 2])
    result = once(code=1)
    has(result.err, "FAILED_READ_FILE", "INLET_DAMAGED_FILE", "b.json.gz", "Move the file away", "ignoreCorruptFiles")
    assert not os.path.exists("out/_spark_metadata/0")
    has(inlet("status", "p.yaml").out, "stopped within a batch", "failed    at ", "INLET_DAMAGED_FILE")
    has(json.loads(inlet("status", "--json", "p.yaml").out)["last_error"], "b.json.gz")
    return data

@test
def poison_files_kept():
    """operations.md: ignoreCorruptFiles keeps the rows before the damage of a poison file"""
    poison()
    pipeline(sink="json", reader={"ignoreCorruptFiles": True})
    assert once().summary["rows"] > 1000
    has(inlet("why", "p.yaml", "landing/b.json.gz").out, "damaged")

@test
def poison_files_left_out():
    """operations.md: a poison file that is moved away leaves the batch"""
    poison()
    os.rename("landing/b.json.gz", "b.json.gz")
    equal(once().summary["rows"], 1)
    equal({f["state"] for f in files()}, {"committed", "vanished"})
    assert "failed " not in inlet("status", "p.yaml").out, "the failure of an earlier run"

@test
def poison_files_repaired():
    """operations.md: a poison file that is repaired is taken anew"""
    data = poison()
    land("landing/b.json.gz", data)
    rows_written = once().summary["rows"]
    while rows_written < 5001 and inlet("plan", "--json", "p.yaml").out and time.sleep(1) is None:
        more = once().summary["rows"]
        rows_written += more
        if not more:
            break
    equal(rows_written, 5001)
    equal(once().summary["rows"], 0)

@test
def failed_files_again():
    """operations.md: a file that failed is loaded once its mode lets it, or by `inlet retry`"""
    if os.geteuid() == 0:
        raise Skip("root can read every file")
    pipeline(sink="json")
    land("landing/a.json", '{"a": 1}\n')
    os.chmod("landing/a.json", 0)
    once(code=3)
    equal(json.loads(inlet("retry", "--json", "p.yaml").out)["retried"], 1)
    once(code=3)
    os.chmod("landing/a.json", 0o644)
    equal(once().summary["rows"], 1)

@test
def commands_again():
    """pipeline-file.md: a foreachBatch command that fails gets the same rows again, and the summary counts them"""
    write("load.sh", '#!/bin/sh\n[ -e go ] || { echo "not yet" >&2; exit 3; }\n{ echo "$INLET_BATCH_ID $INLET_QUERY_NAME $INLET_ROWS"; cat; } > got\n')
    os.chmod("load.sh", 0o755)
    pipeline(foreach=["./load.sh"])
    land("landing/a.json", '{"a": 1}\n{"a": "x"}\n')
    has(once(code=1).err, "INLET_COMMAND_FAILED", "not yet")
    write("go", "")
    summary = once().summary
    equal([summary[k] for k in ("batches", "files", "rows", "bad_records")], [1, 1, 2, 1])
    equal(open("got").read(), '0 p 2\n{"a":1}\n{}\n')
    equal(once().summary["batches"], 0)

@test
def moved_folders():
    """operations.md: a checkpoint may move; an output may not; a landing zone under a new path is new"""
    pipeline(sink="json")
    land("landing/a.json", '{"a": 1}\n')
    equal(once().summary["rows"], 1)
    os.mkdir("elsewhere")
    os.rename("ck", "elsewhere/ck")
    pipeline(sink="json", checkpoint="elsewhere/ck")
    equal(once().summary["rows"], 0)
    os.rename("out", "out2")
    pipeline(sink="json", checkpoint="elsewhere/ck", start="out2")
    has(once(code=78).err, "INLET_CHECKPOINT_MISMATCH")
    os.rename("out2", "out")
    os.rename("landing", "landing2")
    pipeline(sink="json", checkpoint="elsewhere/ck", load="landing2")
    equal(once().summary["rows"], 1)

@test
def differences_from_spark():
    """semantics.md: what inlet does otherwise than Spark"""
    pipeline(sink="json", schema="a INT, t TIMESTAMP, s TINYINT, k STRING, _corrupt_record STRING")
    land("landing/plain.json", '{"a": 1}\n{"a": 2}{"a": 3}\n')
    land("landing/k=x/p.json", '{"a": 4}\n')
    land("landing/x[1].json", '{"t": "10:00"}\n')
    land("landing/x1.json", '{"s": 200}\n')
    summary = once().summary
    equal((summary["rows"], summary["bad_records"], summary["records_with_trailing_text"]), (5, 2, 1))
    got = sorted(json.dumps(r, sort_keys=True) for r in rows(fmt="json"))
    equal(got, sorted(json.dumps(r, sort_keys=True) for r in [{"a": 1}, {"a": 2}, {"a": 4, "k": "x"}, {"_corrupt_record": '{"t": "10:00"}'}, {"_corrupt_record": '{"s": 200}'}]))
    pipeline(sink="json", load="landing/plain.json", checkpoint="ck2", start="out2")
    equal(once().summary["rows"], 2)
    pipeline(sink="json", schema="a INT", load="landing/k=*", checkpoint="ck3", start="out3")
    once()
    equal(rows("out3", "json"), [{"a": 4, "k": "x"}])
    pipeline(sink="csv", schema="a INT", load="nulls", checkpoint="ck4", start="out4")
    land("nulls/a.json", '{"a": null}\n')
    once()
    equal(open(glob.glob("out4/*.csv")[0]).read(), '""\n')
    pipeline(reader={"mode": "LENIENT"})
    has(once(code=78).err, "INLET_BAD_OPTION_VALUE")
    pipeline(sink="json", checkpoint="ck5", start="out2")
    has(once(code=1).err, "INLET_SINK_MISMATCH")

@test
def mistakes_of_a_first_day():
    """YAML mistakes get a hint that says what to write"""
    for yaml, hint in (("schema: a STRUCT<b: STRING>", "must be in quotes"), ("load: *.json", "begins with *"), ("\tformat: json", "not by tabs"), ("load: {a,b}/c", "in quotes"),
                       ("options: {sep: |}", "in quotes"), ("load: [a, b", "closing ]")):
        write("p.yaml", f"readStream:\n  {yaml}\n")
        result = inlet("check", "p.yaml")
        equal(result.code, 78)
        has(result.err, "INLET_PIPELINE_SYNTAX", hint)
    write("p.yaml", "readStream: {format: json, schema: a INT, b STRING, load: l}\n")
    has(inlet("check", "p.yaml").err, "INLET_UNKNOWN_KEY", "holds a comma must be in quotes")
    has(inlet("once").err, "which pipeline? Usage")

main()

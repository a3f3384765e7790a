"""The oracle: small pipelines with the results that Apache Spark gave, each one a test."""
import os, re, subprocess, sys
from lib import INLET

here = os.path.dirname(os.path.abspath(__file__))
cases = os.path.join(here, "../oracle/cases")
total = sum("pipeline.yaml" in names for _, _, names in os.walk(cases))
print(f"1..{total}", flush=True)
p = subprocess.Popen([sys.executable, os.path.join(here, "../oracle/check.py"), "--inlet", INLET, "-j", "2", cases], stdout=subprocess.PIPE,
                     env={**os.environ, "TZ": "UTC"}, text=True)
number = bad = 0
for line in p.stdout:
    match = re.match(r"(ok|DIFF|ERROR)\s+(\S+?):?(?: (.*))?$", line.rstrip())
    if not match:
        continue
    number += 1
    kind, name, text = match.groups()
    bad += kind != "ok"
    print(("ok" if kind == "ok" else "not ok") + f" {number} - Spark's result: {name}", flush=True)
    if kind != "ok":
        print(f"# {kind} {text}")
p.wait()
sys.exit(1 if bad or number != total else 0)

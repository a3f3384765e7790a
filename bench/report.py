"""report -- the table as Markdown, the numbers as JSON, and a plot drawn by hand as SVG."""
import json, os, re
from xml.sax.saxutils import escape

def number(value, unit=""):
    if value is None: return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()

def headline(facts):
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}, {facts['date']}"

def table(rows, facts):
    lines = [f"# Benchmark: {headline(facts)}", "",
             f"Warm cache, {facts['cores']} cores, medians of runs in turn{', smoke test on a twentieth of the data' if facts['quick'] else ''}; {facts['minutes']} minutes in all.",
             "Ratio: the peer's time over ours where the target is a multiple (≥), ours over the peer's where it is a share (≤).", "",
             "| work | peer | peer's | inlet | ratio | target | |", "| --- | --- | ---: | ---: | ---: | --- | --- |"]
    for r in rows:
        unit = r["unit"] if r["peer"] is not None or r["unit"] != "s" else "s"
        note = f" ({r['note']})" if r["note"] else ""
        lines.append(f"| {r['work']}{note} | {r['peer_name'].replace('|', '&#124;') or '–'} | {number(r['peer'], unit) if r['peer'] is not None else '–'} | {number(r['ours'], unit)} | "
                     f"{number(r['ratio'])} | {r['target']} | {'met' if r['met'] else '**not met**'} |")
    if facts["not_measured"]: lines += ["", "Not measured, because the workload failed: " + ", ".join(facts["not_measured"])]
    met = sum(1 for r in rows if r["met"])
    return "\n".join(lines + ["", f"{met} of {len(rows)} met."])

def goal(row):
    found = re.search(r"([≥≤]) ([\d.]+)", row["target"])
    return (found.group(1), float(found.group(2))) if found else None

def advance(row):
    """How far past the target, as a factor: 1 is just met, 2 twice as good."""
    sign_and_value = goal(row)
    if not sign_and_value or not row["ours"]: return None
    sign, wanted = sign_and_value
    got = row["ratio"] if row["ratio"] is not None else row["ours"]
    if got is None: return None
    if got <= 0: return 8.0
    return got / wanted if sign == "≥" else wanted / got

def plot(rows, facts):
    """One bar a row on a logarithmic scale: right of the line the target is met."""
    import math
    bars = [(r, advance(r)) for r in rows]
    bars = [(r, a) for r, a in bars if a]
    height, top, middle, unit, width = 22, 60, 620, 120, 1100
    total = top + height * len(bars) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{total}" fill="white"/>', f'<text x="16" y="24" font-size="15">inlet against its targets: {escape(headline(facts))}</text>',
           '<text x="16" y="44" fill="#555">Factor by which the target is passed (green) or missed (red); logarithmic.</text>']
    for factor in (0.25, 0.5, 1, 2, 4, 8):
        x = middle + unit * math.log2(factor)
        out.append(f'<line x1="{x}" y1="{top - 6}" x2="{x}" y2="{total - 28}" stroke="{"#333" if factor == 1 else "#ddd"}"/>'
                   f'<text x="{x}" y="{total - 12}" text-anchor="middle" fill="#555">{factor:g}×</text>')
    for i, (row, a) in enumerate(bars):
        y = top + i * height
        x = middle + unit * max(-2.2, min(3.2, math.log2(a)))
        left, right = min(x, middle), max(x, middle)
        name = row["work"] + (f" / {row['peer_name']}" if row["peer_name"] else "")
        out.append(f'<text x="340" y="{y + 14}" text-anchor="end">{escape(name)}</text><rect x="{left:.1f}" y="{y + 3}" width="{max(1, right - left):.1f}" height="{height - 7}" '
                   f'fill="{"#4a9c5d" if row["met"] else "#c0504d"}"/>')
    return "\n".join(out + ["</svg>"]) + "\n"

def write(folder, rows, facts):
    os.makedirs(folder, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", f"{facts['cpu']} {facts['cores']} cores".lower()).strip("-")
    if facts["quick"]: name = "quick-" + name
    for suffix, text in ((".md", table(rows, facts) + "\n"), (".json", json.dumps({"machine": facts, "rows": rows}, indent=1, ensure_ascii=False) + "\n"), (".svg", plot(rows, facts))):
        with open(os.path.join(folder, name + suffix), "w", encoding="utf-8") as f: f.write(text)
    print(f"written to {os.path.join(folder, name)}.md, .json and .svg")

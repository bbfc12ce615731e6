"""Bars of minima, as SVG that reads well on a light and on a dark page. No dependencies.

    python3 benchmarks/plot.py RESULT.json OUT.svg       (RESULT.json: compare.py --json)
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, LABELS, BAR, STEP, GROUP, TOP = 760, 150, 18, 27, 26, 58
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 } .note { fill: #59636e; font-size: 12px }
  .peer { fill: #8c959f } .own { fill: #0969da } .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 } .peer { fill: #656c76 } .own { fill: #4493f8 }
  }
"""


def svg(result: dict, own: str) -> str:
    """The picture of what compare.py measured, a group of bars for each case; `own` is the row that stands out."""
    cases = result["cases"]
    room = WIDTH - LABELS - 150
    height = TOP + sum(GROUP + STEP * len(case["rows"]) for case in cases) + 8
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(result["title"])}">']
    parts.append(f"<style>{STYLE}</style>")
    parts.append('<text class="title" x="8" y="22">Milliseconds for one pass, least of all; less is better</text>')
    parts.append(f'<text class="note" x="8" y="42">{escape(result["title"])}; {escape(result["machine"])}</text>')
    y = TOP
    for case in cases:
        threads = f"{case['threads']} thread{'s' if case['threads'] > 1 else ''}"
        parts.append(f'<text class="strong" x="8" y="{y + 14}">{case["tokens"]} tokens, {threads}</text>')
        y += GROUP
        longest = max(row["min_ms"] for row in case["rows"])
        best = next((row["min_ms"] for row in case["rows"] if row["name"] == own), None)
        for row in case["rows"]:
            bar = max(2, room * row["min_ms"] / longest)
            kind, weight = ("own", ' class="strong"') if row["name"] == own else ("peer", "")
            label = f"{row['min_ms']:.1f}" if row["min_ms"] >= 10 else f"{row['min_ms']:.2f}"
            if best and row["name"] != own:
                label += f" ({row['min_ms'] / best:.1f}×)"
            baseline = y + BAR - 4
            parts.append(f'<text{weight} x="{LABELS - 8}" y="{baseline}" text-anchor="end">{escape(row["name"])}</text>')
            parts.append(f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{bar:.1f}" height="{BAR}" rx="2"/>')
            parts.append(f'<text{weight} x="{LABELS + bar + 6:.1f}" y="{baseline}">{label}</text>')
            y += STEP
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(json.loads(Path(sys.argv[1]).read_text()), "blockspan"))

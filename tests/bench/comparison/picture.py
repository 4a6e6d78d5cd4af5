# SPDX-License-Identifier: Apache-2.0
"""The figures as an SVG: how many times its aim each line reaches, from the worst run to the best."""

import html
import math
import statistics

from table import compare, compared, number

WIDTH, LEFT, RIGHT, TOP, ROW = 900, 350, 690, 84, 30
LEAST, MOST = 1 / 4, 16  # times the aim; what lies beyond stands at the edge

STYLE = """
  .paper { fill: #ffffff } text { fill: #1f2328; font: 14px system-ui, sans-serif }
  .title { font-size: 17px; font-weight: 600 } .quiet { fill: #59636e; font-size: 12px }
  .grid { stroke: #d1d9e0 } .aim { stroke: #1f2328; stroke-width: 1.5 }
  .met { stroke: #0969da; fill: #0969da } .missed { stroke: #bc4c00; fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .grid { stroke: #3d444d } .aim { stroke: #f0f6fc }
    .met { stroke: #4493f8; fill: #4493f8 } .missed { stroke: #f0883e; fill: #0d1117 }
  }
"""


def times_the_aim(line, value):
    """Above 1: better than the aim."""
    if value <= 0:
        return MOST if not line.at_least else LEAST
    return value / line.aim if line.at_least else line.aim / value


def place(times):
    clamped = min(max(times, LEAST), MOST)
    return LEFT + (RIGHT - LEFT) * math.log(clamped / LEAST) / math.log(MOST / LEAST)


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'


def axis(bottom):
    parts = []
    for times, words in ((1 / 4, "¼×"), (1 / 2, "½×"), (1, "aim"), (2, "2×"), (4, "4×"), (8, "8×"), (16, "16×")):
        x = place(times)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 14}" y2="{bottom}" class="{"aim" if times == 1 else "grid"}"/>')
        parts.append(text(x, TOP - 20, words, "quiet", "middle"))
    return parts


def drawn_row(line, figures, y):
    ratios = [times_the_aim(line, compare(line, *pair)) for pair in figures]
    middle = statistics.median(ratios)
    kind = "met" if middle >= 1 else "missed"
    least, most = place(min(ratios)), place(max(ratios))
    unit = {"ratio": "", "difference": f" {line.unit} more", "ours": f" {line.unit}"}[line.judged]
    sign = "≥" if line.at_least else "≤"
    return [
        text(LEFT - 16, y + 5, line.label, anchor="end"),
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{y}" y2="{y}" class="{kind}" stroke-width="3"/>',
        f'<circle cx="{place(middle):.1f}" cy="{y}" r="6" class="{kind}" stroke-width="2"/>',
        text(RIGHT + 16, y + 5, f"{number(compared(line, figures)[1])}{unit}   (aim {sign} {line.aim:g})"),
    ]


def draw(rows):
    """`rows`: lines with their figures; those without an aim above 0, or without figures, are left out."""
    rows = [(line, figures) for line, figures in rows if line.aim and figures]
    bottom = TOP + ROW * len(rows)
    parts = [f'<rect width="{WIDTH}" height="{bottom + 34}" class="paper"/>',
             text(20, 28, "Sluice beside others, by its aims", "title"),
             text(20, 48, "times the aim: right of it is better; dot: median of the runs, hollow where it misses; line: from the worst run to the best", "quiet")]
    parts += axis(bottom)
    for i, (line, figures) in enumerate(rows):
        parts += drawn_row(line, figures, TOP + ROW * i + ROW // 2)
    parts.append(text(20, bottom + 22, "100 B payload, 27 B topic, QoS 1, one broker on the same machine: tests/bench/run.sh", "quiet"))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" role="img" '
            f'aria-label="Sluice beside others">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")

# SPDX-License-Identifier: Apache-2.0
"""Measures rows in alternating runs and prints their table: see run.sh."""

import argparse
import json
import os
import pathlib
import sys
import tempfile

import link_rows
import picture
import queue_rows
import table
from measurement import Bench, at_their_best
from parties import Failed, NotYet

MEASUREMENTS = {one.name: one for one in queue_rows.MEASUREMENTS + link_rows.MEASUREMENTS}
ORDER = ("accepted", "draining", "subscribed", "killed", "backlog", "latency", "live-first", "written", "processor")


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description="The agent beside others, as ratios.")
    parser.add_argument("build", type=pathlib.Path, help="a release tree")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="of " + ", ".join(ORDER) + "; default: all")
    parser.add_argument("--runs", type=int, help="alternating runs (5; with --small 1)")
    parser.add_argument("--small", action="store_true", help="small doses: minutes, and figures that say little")
    parser.add_argument("--picture", type=pathlib.Path, help="also draw the figures into this SVG file")
    parser.add_argument("--figures", type=pathlib.Path, help="keep the figures in this JSON file, and draw those of other rows with them")
    parsed = parser.parse_intermixed_args()
    unknown = [name for name in parsed.rows if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"{unknown[0]}: not a row; there are " + ", ".join(ORDER))
    return parsed


def measure(bench, name, runs):
    """{key of a line: pairs of ours and theirs}; no pairs: not yet."""
    figures = {line.key: [] for line in MEASUREMENTS[name].lines}
    for run in range(runs):
        try:
            measured = MEASUREMENTS[name].run(bench)
        except NotYet:
            break
        for key, pairs in figures.items():
            pairs.append(measured[key])
        print(f"{name}: run {run + 1} of {runs}: " + ", ".join(f"{key} {pairs[-1]}" for key, pairs in figures.items() if pairs),
              file=sys.stderr, flush=True)
    return {key: at_their_best(pairs) for key, pairs in figures.items()}


def main():
    chosen = arguments()
    names = [name for name in ORDER if name in chosen.rows or not chosen.rows]
    runs = chosen.runs or (1 if chosen.small else 5)
    kept = json.loads(chosen.figures.read_text()) if chosen.figures and chosen.figures.exists() else {}
    failed = False
    if chosen.small:
        print("Small doses, which show that it works: fewer messages than the lines say, and no figures to rely on.\n")
    print(table.HEAD)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
            bench = Bench(chosen.build.resolve(), pathlib.Path(folder), chosen.small)
            try:
                figures = measure(bench, name, runs)
            except Failed as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                failed = True
                continue
        for line in MEASUREMENTS[name].lines:
            print(table.row(line, figures[line.key], f"tests/bench/run.sh build/release {name}"), flush=True)
        kept |= figures
        if chosen.figures:
            chosen.figures.write_text(json.dumps(kept, indent=1))
    if chosen.picture:
        lines = [line for name in ORDER for line in MEASUREMENTS[name].lines]
        chosen.picture.write_text(picture.draw([(line, kept.get(line.key)) for line in lines]))
    return failed


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main())

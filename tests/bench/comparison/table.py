# SPDX-License-Identifier: Apache-2.0
"""The Markdown table: medians of the runs, and the spread of what ours is beside theirs."""

import statistics

HEAD = ("| what | ours | theirs | ratio: min, median, max | aim | met | command |\n"
        "| --- | --- | --- | --- | --- | --- | --- |")


def compare(line, ours, theirs):
    if line.judged == "ours":
        return ours
    if line.judged == "difference":
        return ours - theirs
    return ours / theirs


def compared(line, figures):
    """Least, median and greatest of the runs."""
    values = sorted(compare(line, *pair) for pair in figures)
    return values[0], statistics.median(values), values[-1]


def is_met(line, median):
    return median >= line.aim if line.at_least else median <= line.aim


def number(value):
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def aim_in_words(line):
    if line.aim is None:
        return ""
    word = "at least" if line.at_least else "at most"
    unit = {"ratio": "", "difference": f" {line.unit} more", "ours": f" {line.unit}"}[line.judged]
    return f"{word} {line.aim:g}{unit}"


def row(line, figures, command):
    """`figures`: a pair (ours, theirs) for each run."""
    if not figures:
        return f"| {line.what} | n/a | n/a | | {aim_in_words(line)} | not yet | `{command}` |"
    spread = compared(line, figures)
    ours, theirs = (number(statistics.median(pair[side] for pair in figures)) for side in (0, 1))
    met = "" if line.aim is None else "yes" if is_met(line, spread[1]) else "**no**"
    kind = {"ratio": "", "difference": f" {line.unit} more", "ours": f" {line.unit}"}[line.judged]
    words = ", ".join(number(value) for value in spread) + kind
    return f"| {line.what} | {ours} {line.unit} | {theirs} {line.unit} | {words} | {aim_in_words(line)} | {met} | `{command}` |"

#!/usr/bin/python3
"""Counts what the subscriber of the demonstration has seen: FILE has a line "arrival topic payload" a message."""
import json
import sys

by_topic = {}
for line in open(sys.argv[1], encoding="utf-8"):
    _, topic, payload = line.rstrip("\n").split("  ", 2)
    if topic != "demo/reply":
        by_topic.setdefault(topic, []).append(json.loads(payload))

meter = by_topic.get("demo/meter", [])
energies = [sample["energy_wh"] for sample in meter]
missing = sum(round((b - a) / 0.25) - 1 for a, b in zip(energies, energies[1:]))
for topic, messages in sorted(by_topic.items()):
    print(f"{len(messages):5} messages on {topic}, {messages[0]['ts']} to {messages[-1]['ts']}")
print(f"the meter's readings, one a second: {len(meter)} arrived, {missing} missing, in order: {energies == sorted(energies)}")
topics = {"demo/meter", "demo/plc/temperature", "demo/plc/pressure", "demo/plc/pieces"}
if missing or energies != sorted(energies) or not topics <= set(by_topic):
    sys.exit("the demonstration did not show what it should")

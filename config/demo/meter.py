#!/usr/bin/python3
"""A simulated serial meter: writes one line of JSON a second to the terminal PATH."""
import json
import math
import sys
import time

with open(sys.argv[1], "wb", buffering=0) as port:
    for second in range(24 * 3600):
        energy = round(1000 + second * 0.25, 2)
        power = round(900 + 50 * math.sin(second / 10), 1)
        port.write(json.dumps({"energy_wh": energy, "power_w": power}).encode() + b"\r\n")
        time.sleep(1)

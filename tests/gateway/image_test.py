#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the image, unless the cache has it, so that no case has that in its time."""
import time

from case import image, report

began = time.monotonic()
report(f"{image()}, after {time.monotonic() - began:.1f} s")

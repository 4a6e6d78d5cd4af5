#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The power is cut while the agent collects offline, and while it drains. What it had called committed arrives.

SLUICE_FULL=1 makes ten cuts instead of three; SLUICE_SEED repeats a run.
"""
import os
import random

import case
from case import GatewayCase, counting_plugin, report
from guest import wait_until
from promises import Promises, counting_input

CUTS = 10 if os.environ.get("SLUICE_FULL") == "1" else 3
SETTINGS = f"""
max_inflight = 5                # so that draining takes long enough to be cut
[buffer]
durability = "strict"
{counting_input(200)}
"""


class PowerCut(GatewayCase):
    payload = (counting_plugin,)

    @classmethod
    def prepare(cls):
        cls.install()
        cls.install_counter()
        cls.broker.stop()
        seed = int(os.environ.get("SLUICE_SEED", random.randrange(2**32)))
        cls.random = random.Random(seed)
        report(f"SLUICE_SEED={seed}")

    def setUp(self):
        self.promises = Promises(self.guest, self.subscriber)

    def test_1_what_was_committed_arrives(self):
        self.configure(SETTINGS)
        for cut in range(CUTS):
            if cut % 2 == 0:
                self.collect_and_cut()
            else:
                self.drain_and_cut()
        lost = self.drain()
        report(f"{CUTS} cuts: {lost} of {self.promises.count()} lost, {self.promises.repeated()} duplicates")
        self.assertEqual(lost, 0)
        self.broker.stop()

    def test_2_without_sync_it_would_not(self):
        """The control: this test can fail. Nobody else is to flush the disk in time either."""
        self.guest.run("echo 0 > /proc/sys/vm/dirty_writeback_centisecs; mount -o remount,commit=600 /")
        self.configure(SETTINGS, "Environment=SLUICE_TEST_SYNC=off")
        lost = 0
        for _ in range(5):  # by chance something else has just flushed everything
            self.collect_and_cut()
            lost = self.drain()
            report(f"the control, without sync: {lost} of {self.promises.count()} lost")
            if lost:
                break
            self.broker.stop()
        self.assertGreater(lost, 0)

    def collect_and_cut(self):
        """Offline, until some random number of messages was promised."""
        self.promises.wait_more(self.random.randint(100, 800))
        self.cut(f"offline, with {self.promises.count()} promised")

    def drain_and_cut(self):
        """Once some random part of what waits has arrived."""
        enough = len(self.promises.arrivals()) + self.random.randint(1, max(1, self.promises.missing()))
        self.broker.start()
        wait_until(f"{enough} messages have arrived", lambda: len(self.promises.arrivals()) >= enough, pause_s=0.01)
        self.promises.listen()
        self.cut(f"draining, with {len(self.promises.arrivals())} arrived of {self.promises.count()} promised")
        self.broker.stop()

    def cut(self, when):
        report(f"power cut {when}")
        self.promises.note(self.guest.cut())
        self.promises.run = None
        self.guest.boot()

    def drain(self):
        """How many promised messages never arrive. Order is kept, so that what was there before the last start has come, or
        never will, when something of this start comes."""
        self.broker.start()
        wait_until("something is promised in this start", lambda: self.promises.listen() and self.promises.run, 240)
        latest = self.promises.run
        wait_until("something of this start arrives", lambda: any(run == latest for run, _ in self.promises.arrivals()), 240)
        return self.promises.missing(but_run=latest)


if __name__ == "__main__":
    case.main()

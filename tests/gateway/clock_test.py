#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The clock is wrong at boot, and set later. Nothing is purged, and what can be known of the times is told right."""
import time

import case
from case import BUILD, GatewayCase, built, nanoseconds, report
from guest import wait_until

WRONG = "2001-02-03T04:05:06"
SETTINGS = """
id = "payload"
[buffer]
durability = "strict"
max_age = "1h"                  # by these clocks all of it would be years old
[[input]]
plugin = "simulator"
name = "sim"
rate = 10.0
"""


def set_clock():
    return built(BUILD / "tests/gateway", "set_clock")


class Clock(GatewayCase):
    payload = (set_clock,)
    rtc = WRONG

    def test_1_times_are_corrected_where_they_can_be(self):
        self.broker.stop()
        self.configure(SETTINGS)
        self.wait_stored(40)
        self.assertLess(self.guest.clock_ns(), time.time_ns() - 10**9 * 86400 * 100, "the guest's clock is right")
        before_cut = self.stored()
        self.guest.cut()

        begin_ns = time.time_ns()
        self.guest.boot(WRONG)
        self.wait_stored(before_cut + 40)
        self.guest.run(f"/payload/set_clock {time.time_ns()}")
        # The agent looks once a second.
        self.wait_stored(self.stored() + 40)
        self.broker.start()
        # Order is kept: with the first that came after all that, the others are here.
        wait_until("something with a plain time arrives", self.plain, 240, 0.5)
        end_ns = time.time_ns()

        messages = [message.body for message in self.subscriber.of("gateway/sim")]
        starts = sorted({int(message["id"].split("/")[0]) for message in messages})
        first = [message for message in messages if int(message["id"].split("/")[0]) == starts[0]]
        second = [message for message in messages if int(message["id"].split("/")[0]) == starts[-1]]
        corrected = [message for message in second if message.get("time") == "corrected"]
        plain = [message for message in second if "time" not in message]
        report(f"{len(first)} before the power cut, {len(corrected)} corrected, {len(plain)} after the clock was set")

        # Of a boot in which the clock was never set nobody knows when it was.
        self.assertGreaterEqual(len(first), 40)
        self.assertEqual({message.get("time") for message in first}, {"unsynchronised"})
        self.assertGreaterEqual(len(corrected), 40)
        # A second for what the setting itself takes.
        for message in corrected + plain:
            self.assertGreater(nanoseconds(message["ts"]), begin_ns - 10**9, message)
            self.assertLess(nanoseconds(message["ts"]), end_ns + 10**9, message)
        self.assertEqual(len(corrected) + len(plain), len(second))
        for of_a_start in (first, second):
            values = list(dict.fromkeys(message["value"] for message in of_a_start))
            self.assertEqual(values, sorted(values))
            self.assertEqual(values, list(range(values[0], values[-1] + 1)), "some are missing")
        ledger = self.status()["buffer"]["queues"]["mqtt"]["ledger"]
        self.assertEqual(ledger["dropped_by_age"], 0)
        self.assertTrue(ledger["balanced"])

    def stored(self):
        return self.status()["buffer"]["messages"]

    def wait_stored(self, count):
        def enough():
            try:
                return self.stored() >= count
            except (case.GuestError, ValueError):  # the agent is not there yet
                return False

        wait_until(f"{count} messages are stored", enough, 240, 0.5)

    def plain(self):
        return any("time" not in message.body for message in self.subscriber.of("gateway/sim"))


if __name__ == "__main__":
    case.main()

# SPDX-License-Identifier: Apache-2.0
"""What the agent has called committed, and what of it has arrived.

The plugin `acknowledged` (acknowledged.cpp) counts, emits durably, and writes each number that the agent has committed to a
UART. A number whose report was still on its way was not promised.
"""
import collections

from guest import UARTS, wait_until

TOPIC = "gateway/counter"
INPUT = f"""
[[input]]
plugin = "acknowledged"
name = "counter"
report = "{UARTS["report"]}"
rate = %s
"""


def counting_input(rate):
    """The table of the input, at so many messages a second."""
    return INPUT % float(rate)


class Promises:
    """Of one guest, as `subscriber` sees them arrive."""

    def __init__(self, guest, subscriber):
        self._guest = guest
        self._subscriber = subscriber
        self._promised = collections.defaultdict(set)  # numbers, by run of the plugin
        self.run = None  # the latest

    def listen(self):
        """How many there are by now."""
        self.note(self._guest.uart("report").lines())
        return self.count()

    def note(self, lines):
        for line in lines:
            run, _, number = line.partition(" ")
            if number.isdecimal():
                self._promised[run].add(int(number))
                self.run = run

    def count(self):
        return sum(map(len, self._promised.values()))

    def wait_more(self, count):
        """Waits until so many more are promised."""
        enough = self.count() + count
        wait_until(f"{enough} messages are committed", lambda: self.listen() >= enough, 240, 0.01)

    def arrivals(self):
        """(run, number) of every message of these runs that came, in that order, repetitions included."""
        bodies = [message.body for message in self._subscriber.of(TOPIC)]
        return [(body["run"], body["number"]) for body in bodies if body["run"] in self._promised]

    def missing(self, but_run=None):
        """Promised, and not here yet; without those of one run."""
        arrived = set(self.arrivals())
        runs = [run for run in self._promised if run != but_run]
        return sum((run, number) not in arrived for run in runs for number in self._promised[run])

    def repeated(self):
        arrivals = self.arrivals()
        return len(arrivals) - len(set(arrivals))

    def in_order(self):
        """Did the first arrivals of each run come in the order in which they were emitted?"""
        last = {}
        for run, number in dict.fromkeys(self.arrivals()):
            if number < last.get(run, -1):
                return False
            last[run] = number
        return True

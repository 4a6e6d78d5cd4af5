# SPDX-License-Identifier: Apache-2.0
"""What the rows share: how large the doses are, where they work, and queues that are filled once and copied."""

import calendar
import dataclasses
import pathlib
import statistics
import subprocess
import time
import typing

from parties import IDLE, Agent, Failed, free_port, simulator, wait_until


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the table. `aim`: what ours over theirs (or less theirs, or ours alone) has to be."""

    key: str
    label: str  # in the picture
    what: str
    unit: str
    at_least: bool
    aim: float
    judged: str = "ratio"  # "ratio", "difference", "ours"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One alternating run: `run(bench)` answers {key of a line: (ours, theirs)}, all of them. Theirs may be {setting: figure}
    where several are tried: more of it is better."""

    name: str
    lines: tuple
    run: typing.Callable


def at_their_best(pairs):
    """Pairs with theirs at the setting that is best over all runs, by its median: the best of each run would be the luckiest."""
    if not pairs or not isinstance(pairs[0][1], dict):
        return pairs
    best = max(pairs[0][1], key=lambda setting: statistics.median(theirs[setting] for _, theirs in pairs))
    return [(ours, theirs[best]) for ours, theirs in pairs]


@dataclasses.dataclass
class Bench:
    build: pathlib.Path
    folder: pathlib.Path
    small: bool
    folders: int = 0
    filled: dict = dataclasses.field(default_factory=dict)

    def dose(self, whole, small):
        return small if self.small else whole

    @property
    def messages(self):
        return self.dose(1_000_000, 20_000)

    def new_folder(self):
        self.folders += 1
        folder = self.folder / f"{self.folders}"
        folder.mkdir()
        return folder

    def fill(self, folder, count, durability="strict"):
        """Stores the numbers below `count` in a queue in `folder`, offline: messages a second, first emit to last commit."""
        with Agent(self.build, folder, free_port(), simulator(count), durability) as agent:
            wait_until(lambda: stored(agent, count), 600, f"{count} messages are stored")
            end_ns = time.time_ns()
            first = wait_until(lambda: agent.status()["buffer"]["oldest_ts"], 10, "the time of the first")
        return count / (1e-9 * (end_ns - nanoseconds(first)))

    def stored_queue(self, count):
        """A folder of its own whose queue holds that many."""
        if count not in self.filled:
            self.filled[count] = self.new_folder()
            self.fill(self.filled[count], count)
        folder = self.new_folder()
        subprocess.run(["cp", "-a", self.filled[count] / "state", folder], check=True)
        subprocess.run(["sync", "--file-system", folder], check=True)  # or the first commit would write the copy out
        return folder

    def drain(self, folder, port, count, then=lambda agent: None):
        """Starts the agent there; messages a second from CONNACK to when the last of `count` is acknowledged."""
        with Agent(self.build, folder, port, IDLE) as agent:
            rate = 0.0
            seen, seen_at = 0, time.monotonic()
            while True:
                before = time.time_ns()
                status = agent.status()
                now = (before + time.time_ns()) // 2
                acknowledged = status["metrics"]["forwarder"]["acknowledged"]
                up = status["session"]["state"] == "up"
                if up and acknowledged > 0 and (acknowledged < count or rate == 0):
                    rate = acknowledged / (1e-9 * (now - nanoseconds(status["session"]["since"])))
                if acknowledged >= count:
                    break
                if acknowledged > seen:
                    seen, seen_at = acknowledged, time.monotonic()
                if time.monotonic() - seen_at > 60:
                    raise Failed(f"{count - seen} of {count} messages are not acknowledged, and nothing moves")
                time.sleep(0.02)
            then(agent)
        return rate


def stored(agent, count):
    stats = agent.status()["buffer"]
    if stats["dropped"]:
        raise Failed(f"{stats['dropped']} messages were dropped")
    return stats["messages"] == count and stats["in_memory"] == 0


def nanoseconds(rfc3339):
    whole, _, fraction = rfc3339.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000_000 + int((fraction + "0" * 9)[:9])

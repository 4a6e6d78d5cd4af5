# SPDX-License-Identifier: Apache-2.0
"""What the queue costs: taking messages in, a long backlog, bytes written, the processor."""

import json
import signal
import shutil
import statistics
import subprocess
import time

from measurement import Line, Measurement
from parties import IDLE, PAYLOAD_BYTES, TOPIC, Agent, Broker, publish_bare, simulator, wait_until


def accepted(bench):
    folder = bench.new_folder()
    ours = bench.fill(folder, bench.messages)
    shutil.rmtree(folder)
    folder = bench.new_folder()
    theirs = float(subprocess.run([f"{bench.build}/tests/bench/bare_inserts", str(bench.messages), folder / "bare.sqlite"],
                                  check=True, capture_output=True, text=True).stdout)
    shutil.rmtree(folder)
    return {"accepted": (ours, theirs)}


def backlog(bench):
    """Five million stored, of which a million is drained, beside fifty thousand and nothing."""
    long, short, part = bench.dose((5_000_000, 50_000, 1_000_000), (100_000, 10_000, 20_000))
    figures = {}
    to_ready = {"long": [], "empty": []}
    resident = {}
    with Broker(bench.new_folder()) as broker:
        short_rates = []
        for _ in range(4):
            folder = bench.stored_queue(short)
            short_rates.append(bench.drain(folder, broker.port, short))
            shutil.rmtree(folder)
        folder = bench.new_folder()
        with Agent(bench.build, folder, broker.port, IDLE) as agent:
            wait_until(lambda: agent.status()["session"]["state"] == "up", 30, "the link")
            resident["empty"] = agent.rss_mb()
        unread = bench.stored_queue(long)
        for _ in range(15):  # each takes milliseconds, of which the disk may take one more or less
            for name, where in (("empty", folder), ("long", unread)):
                with Agent(bench.build, where, 1, IDLE) as agent:  # nobody listens there
                    to_ready[name].append(1000 * agent.seconds_to_ready)
        shutil.rmtree(folder)

        def look(agent):
            resident["long"] = agent.rss_mb()
            agent.stop(signal.SIGKILL)

        rate = bench.drain(unread, broker.port, part, look)
        shutil.rmtree(unread)
    figures["backlog"] = (rate, statistics.mean(short_rates))
    figures["memory"] = (resident["long"], resident["empty"])
    figures["start"] = (statistics.median(to_ready["long"]), statistics.median(to_ready["empty"]))
    return figures


def written(bench):
    def durability_bench(what, count):
        folder = bench.new_folder()
        finished = subprocess.run([f"{bench.build}/tests/bench/durability_bench", what, str(count), folder], check=True,
                                  capture_output=True, text=True)
        shutil.rmtree(folder)
        return json.loads(finished.stdout)["by_sqlite"]

    size = PAYLOAD_BYTES + len(TOPIC)
    return {"written": (durability_bench("saturated", bench.messages), size),
            "written-online": (durability_bench("online", bench.dose(20_000, 1_000)), size)}


def load_of_agent(bench, port, seconds, inputs):
    """% of a core, and MB resident, once it has run for a second."""
    with Agent(bench.build, bench.new_folder(), port, inputs) as agent:
        wait_until(lambda: agent.status()["metrics"]["forwarder"]["acknowledged"] > 1000, 30, "a second's messages")
        used, begin = agent.processor_seconds(), time.monotonic()
        time.sleep(seconds)
        return 100 * (agent.processor_seconds() - used) / (time.monotonic() - begin), agent.rss_mb()


def processor(bench):
    """A thousand messages a second. Node-RED's figures were measured once, on such a machine: 4.6 % and 137 MB."""
    seconds = bench.dose(10, 3)
    rate = 1000
    with Broker(bench.new_folder()) as broker:
        ours, resident = load_of_agent(bench, broker.port, seconds, simulator((seconds + 60) * rate, rate))
        alone, _ = load_of_agent(bench, broker.port, seconds, "".join(
            simulator((seconds + 60) * rate // 2, rate / 2, name=name) for name in ("one", "two")))
        report = publish_bare(bench.build, broker.port, "paced", seconds * rate, rate)
    bare = report["processor_seconds"] / report["seconds"]
    return {"processor": (ours, 4.6), "processor-bare": (ours, 100 * bare), "alone": (alone, 4.6),
            "resident": (resident, 137.0)}


MEASUREMENTS = (
    Measurement("accepted", (
        Line("accepted", "accepted to committed / bare SQLite",
             "1M accepted to committed, `strict`, first emit to last commit, against bare SQLite inserts",
             "messages/s", True, 0.7),), accepted),
    Measurement("backlog", (
        Line("backlog", "draining, 5M stored / 50k stored",
             "draining with 5M stored, against 50k stored", "messages/s", True, 0.95),
        Line("memory", "memory with 5M stored",
             "resident memory, 5M stored and 1M of them drained, against an empty queue", "MB", False, 4, "difference"),
        Line("start", "start with 5M stored / empty",
             "start to READY with 5M stored, against an empty queue", "ms", False, 1.2)), backlog),
    Measurement("written", (
        Line("written", "bytes written offline / message",
             "bytes SQLite writes for a message, offline, saturated, 1M, to the last checkpoint, against payload + topic",
             "B", False, 3),
        Line("written-online", "bytes written online, balanced",
             "the same online at 100 messages/s, `balanced`", "B", False, 1, "ours")), written),
    Measurement("processor", (
        Line("processor", "processor at 1,000/s / Node-RED",
             "processor time at 1,000 messages/s, against Node-RED (4.6 %, measured once)", "% of a core", False, 0.5),
        Line("processor-bare", "processor at 1,000/s / bare library",
             "the same against the bare library", "% of a core", False, None),
        Line("alone", "processor at 2 x 500/s / Node-RED",
             "the same from two inputs at 500/s, each message emitted alone", "% of a core", False, 0.5),
        Line("resident", "memory at 1,000/s",
             "resident memory meanwhile, against Node-RED (137 MB)", "MB", False, 12, "ours")), processor),
)

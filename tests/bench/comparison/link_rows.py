# SPDX-License-Identifier: Apache-2.0
"""What the link brings: draining a queue, alone and with a subscriber, and how late a live message comes."""

import json
import shutil
import signal
import statistics

from measurement import Line, Measurement, stored
from parties import (IDLE, Agent, Broker, Failed, NotYet, Subscriber, free_port, publish_bare, simulator, wait_until)

# The others have the window that suits them best; a quarter of the messages shows their rate as well.
WINDOWS = (20, 100, 200, 1000)


def draining(bench):
    folder = bench.stored_queue(bench.messages)
    with Broker(bench.new_folder()) as broker:
        ours = bench.drain(folder, broker.port, bench.messages)
        theirs = {window: publish_bare(bench.build, broker.port, "flood", bench.messages // 4, window)["rate"]
                  for window in WINDOWS}
    shutil.rmtree(folder)
    return {"draining": (ours, theirs)}


def rate_seen(report):
    return report["received"] / (1e-9 * (report["last_ns"] - report["first_ns"]))


def bridge_to(port):
    return (f"connection up\naddress 127.0.0.1:{port}\ntopic # out 1\ncleansession false\nrestart_timeout 1\n"
            "bridge_protocol_version mqttv50\nnotifications false\ntry_private false\n")


def bridge_rate(bench, count, window, messages):
    """A mosquitto with `count` messages queued for its bridge, from the first to the last that a subscriber gets; `messages`:
    "flood" for bare ones, "replayed" for the same as the agent's, with their properties."""
    port = free_port()
    with Broker(bench.new_folder(), f"max_inflight_messages {window}\n{bridge_to(port)}") as queue:
        publish_bare(bench.build, queue.port, messages, count, 100)
        queue.send(signal.SIGSTOP)  # so that the subscriber is there first
        with Broker(bench.new_folder(), port=port), Subscriber(bench.build, bench.new_folder(), port, count) as subscriber:
            queue.send(signal.SIGCONT)
            return rate_seen(subscriber.result())


def subscribed(bench):
    folder = bench.stored_queue(bench.messages)
    with Broker(bench.new_folder()) as broker:
        with Subscriber(bench.build, bench.new_folder(), broker.port, bench.messages) as subscriber:
            with Agent(bench.build, folder, broker.port, IDLE):
                ours = rate_seen(subscriber.result())
    shutil.rmtree(folder)

    def bridge(messages):
        return {window: bridge_rate(bench, bench.messages // 4, window, messages) for window in WINDOWS}

    return {"subscribed": (ours, bridge("replayed")), "subscribed-bare": (ours, bridge("flood"))}


def lost_by_agent(bench, count):
    folder = bench.new_folder()
    with Agent(bench.build, folder, free_port(), simulator(count), "strict") as agent:
        wait_until(lambda: stored(agent, count), 60, "the messages are stored")
        agent.stop(signal.SIGKILL)
    with Broker(bench.new_folder()) as broker, Subscriber(bench.build, bench.new_folder(), broker.port, count, idle=5) as seen:
        with Agent(bench.build, folder, broker.port, IDLE):
            return count - seen.result()["received"] + seen.result()["duplicates"]


def lost_by_bridge(bench, count):
    port = free_port()
    folder = bench.new_folder()
    with Broker(folder, bridge_to(port), persistent=True) as queue:
        publish_bare(bench.build, queue.port, "flood", count, 100)
        queue.stop(signal.SIGKILL)
    with Broker(bench.new_folder(), port=port), Subscriber(bench.build, bench.new_folder(), port, count, idle=5) as seen:
        with Broker(folder, bridge_to(port), persistent=True):
            seen.process.wait(60)
            return json.loads(seen.log.read_text().splitlines()[-1])["missing"]


def killed(bench):
    """kill -9 of the one that stores: how many of its messages never come. The bridge persists every 30 minutes."""
    count = bench.dose(10_000, 1_000)
    ours = lost_by_agent(bench, count)
    if ours:
        raise Failed(f"{ours} messages are lost by kill -9")
    return {"killed": (ours, lost_by_bridge(bench, count))}


def latencies(bench, port, count, publish):
    with Subscriber(bench.build, bench.new_folder(), port, count) as subscriber:
        publish()
        return subscriber.result()


def latency_of_agent(bench, port, count, durability):
    with Subscriber(bench.build, bench.new_folder(), port, count) as subscriber:
        with Agent(bench.build, bench.new_folder(), port, simulator(count, 500), durability):
            return subscriber.result()


def latency(bench):
    """In turns of two seconds: the machine is quicker at one moment than at another, for all of them."""
    turns = bench.dose(5, 1)
    count = bench.dose(5_000, 500) // turns
    with Broker(bench.new_folder()) as broker:
        parties = {
            "strict": lambda: latency_of_agent(bench, broker.port, count, "strict"),
            "bare": lambda: latencies(bench, broker.port, count, lambda: publish_bare(bench.build, broker.port, "paced", count, 500)),
            "balanced": lambda: latency_of_agent(bench, broker.port, count, "balanced")}
        reports = {name: [] for name in parties}
        for _ in range(turns):
            for name, measure in parties.items():
                reports[name].append(measure())
    median = {(name, part): statistics.median(report[f"{part}_us"] for report in of_one)
              for name, of_one in reports.items() for part in ("p50", "p99")}
    return {f"{name}-{part}": (median[name, part], median["bare", part])
            for name in ("strict", "balanced") for part in ("p50", "p99")}


def live_first(bench):
    """Live messages on a topic of their own, while a million drains."""
    count = bench.dose(3_000, 500)
    topic = "plant/line1/machine8/values"
    live = simulator(count, 500, topic, "live")
    more = 'order = "live-first"'
    figures = []
    with Broker(bench.new_folder()) as broker:
        for folder in (bench.new_folder(), bench.stored_queue(bench.messages)):
            with Subscriber(bench.build, bench.new_folder(), broker.port, count, topic) as subscriber:
                with Agent(bench.build, folder, broker.port, live, more=more) as agent:
                    if agent.says_not_yet():
                        raise NotYet
                    figures.append(subscriber.result()["p99_us"])
            shutil.rmtree(folder)
    return {"live-first": (figures[1], figures[0])}


MEASUREMENTS = (
    Measurement("draining", (
        Line("draining", "draining / bare library",
             "draining 1M, CONNACK to last PUBACK, no subscriber, against the bare library at its best window",
             "messages/s", True, 0.9),), draining),
    Measurement("subscribed", (
        Line("subscribed", "draining, a subscriber / mosquitto bridge",
             "the same with one QoS 1 subscriber, against a mosquitto bridge of the same messages at its best window",
             "messages/s", True, 1.0),
        Line("subscribed-bare", "draining, a subscriber / bridge of bare messages",
             "the same, against a mosquitto bridge of messages without properties", "messages/s", True, 1.0)), subscribed),
    Measurement("killed", (
        Line("killed", "lost at kill -9",
             "lost of 10,000 stored at kill -9, beside a mosquitto bridge with persistence", "messages", False, 0, "ours"),),
        killed),
    Measurement("latency", tuple(
        Line(f"{level}-{part}", f"live {part}, {level} / bare library",
             f"live latency at 500/s, emit to subscriber, {part}, `{level}`, against the bare library",
             "us", False, aim)
        for level in ("strict", "balanced") for part, aim in (("p50", 1.3), ("p99", 1.5))), latency),
    Measurement("live-first", (
        Line("live-first", "live p99 while draining / without",
             "live p99 at 500/s while 1M drain, `live-first`, against no backlog", "us", False, 2.0),), live_first),
)

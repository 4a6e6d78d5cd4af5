# SPDX-License-Identifier: Apache-2.0
"""The programs that a comparison starts: a broker, the agent, the bare library, a subscriber. Each ends with its owner."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

TOPIC = "plant/line1/machine7/values"  # 27 bytes
PAYLOAD_BYTES = 100


class Failed(Exception):
    """A row cannot be measured, or a message was lost."""


class NotYet(Exception):
    """The agent cannot do this yet, and says so."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what, pause=0.005):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(pause)


class Process:
    def __init__(self, arguments, log, **options):
        self.log = pathlib.Path(log)
        with open(log, "ab") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        raise Failed(f"process {self.pid} has ended")

    def processor_seconds(self):
        """User and system, of all its threads, those that have ended too."""
        process_clock = ~self.pid << 3 | 2  # clock_getcpuclockid(3)
        return time.clock_gettime(process_clock)


class Broker(Process):
    """A mosquitto that drops nothing, keeps nothing and announces no Receive Maximum; `extra`: further lines."""

    def __init__(self, folder, extra="", port=None, persistent=False):
        self.port = port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        kept = f"persistence true\npersistence_location {folder}/\n" if persistent else ""
        (folder / "mosquitto.conf").write_text(
            "user root\nlog_type error\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 0\n"
            f"max_queued_messages 0\n{kept}listener {self.port} 127.0.0.1\n{extra}")
        path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
        program = shutil.which("mosquitto", path=path) or "mosquitto"
        super().__init__([program, "-c", folder / "mosquitto.conf"], folder / "log")
        wait_until(self.accepts, 30, "mosquitto accepts")

    def accepts(self):
        if self.process.poll() is not None:
            raise Failed("mosquitto does not start: " + self.log.read_text(errors="replace"))
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def padding_for(count):
    """So that the JSON of most of the numbers below `count` has 100 bytes, and of none more."""
    return PAYLOAD_BYTES - 61 - len(str(count - 1))


def simulator(count, rate=0.0, topic=TOPIC, name="sim"):
    return (f'[[input]]\nplugin = "simulator"\nname = "{name}"\ntopic = "{topic}"\nrate = {float(rate)}\n'
            f"count = {count}\npayload_size = {padding_for(count)}\n")


# Present and silent: the agent wants an input.
IDLE = '[[input]]\nplugin = "simulator"\nname = "sim"\nenabled = false\n'


class Agent(Process):
    """`sluice run` in `folder`, whose queue stays there. READY has come when the constructor returns."""

    def __init__(self, build, folder, port, inputs, durability="balanced", more=""):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sluice.toml").write_text(
            f'[agent]\nid = "bench"\nstate_dir = "{folder}/state"\ncontrol_socket = "{folder}/control"\n'
            f'plugin_dirs = ["{build}/plugins"]\n[mqtt]\nbrokers = ["mqtt://127.0.0.1:{port}"]\nstatus_topic = ""\n'
            f'reconnect_max = "1s"\n[buffer]\nmax_bytes = "8GiB"\ndurability = "{durability}"\n{more}\n{inputs}')
        self.folder = folder
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify_path = folder / "notify"
            notify_path.unlink(missing_ok=True)
            notify.bind(str(notify_path))
            notify.settimeout(60)
            begin = time.monotonic()
            super().__init__([f"{build}/agent/sluice", "run", "--config", folder / "sluice.toml"], folder / "log",
                             env={**os.environ, "NOTIFY_SOCKET": str(notify_path)})
            try:
                while b"READY=1" not in notify.recv(65536):
                    pass
            except TimeoutError:
                self.stop(signal.SIGKILL)
                raise Failed("the agent does not get ready: " + self.log.read_text(errors="replace")) from None
            self.seconds_to_ready = time.monotonic() - begin

    def status(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "control"))
            connection.sendall(b'{"command":"status"}\n')
            answer = b""
            while not answer.endswith(b"\n"):
                part = connection.recv(65536)
                if not part:
                    raise Failed("the agent ended the conversation: " + self.log.read_text(errors="replace"))
                answer += part
        return json.loads(answer)

    def says_not_yet(self):
        return "not yet" in self.log.read_text(errors="replace")


class Subscriber(Process):
    """Has its subscription when the constructor returns."""

    def __init__(self, build, folder, port, count, topic=TOPIC, idle=30):
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "subscriber"
        log.unlink(missing_ok=True)
        super().__init__([f"{build}/tests/bench/bench_subscriber", str(port), topic, str(count), str(idle)], log)
        wait_until(lambda: "ready" in self.log.read_text(), 30, "the subscription")

    def result(self, seconds=3600):
        """What it saw; a missing number is a failure."""
        self.process.wait(seconds)
        report = json.loads(self.log.read_text().splitlines()[-1])
        if report["missing"]:
            raise Failed(f"{report['missing']} messages are lost")
        return report


def publish_bare(build, port, *arguments):
    """The bare library publishes and is done; its report."""
    finished = subprocess.run([f"{build}/tests/bench/bare_publisher", str(port), *map(str, arguments)],
                              capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise Failed("bare_publisher: " + finished.stderr)
    return json.loads(finished.stdout)

# SPDX-License-Identifier: Apache-2.0
"""A broker on the host's loopback, and a subscriber that sees every message, also across restarts of the broker."""
import json
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from guest import end_with_parent, wait_until


SIGN_OF_LIFE = "$SYS/broker/version"  # retained by the broker, so that it comes with the grant


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """Mosquitto, off at first. Its port and what it has stored outlive a stop."""

    def __init__(self):
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="broker-"))
        (self._folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {self._folder}/\nmax_queued_messages 0\nset_tcp_nodelay true\n"
        )
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self._folder)

    def start(self):
        assert self._process is None, "it runs already"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", self._folder / "mosquitto.conf"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, preexec_fn=end_with_parent,
            )
        wait_until("the broker listens", self._listens)

    def stop(self):
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(60)
        self._process = None

    def _listens(self):
        if self._process.poll() is not None:
            raise AssertionError("mosquitto ended: " + (self._folder / "log").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Message:
    def __init__(self, line):
        raw = json.loads(line)
        self.topic = raw["topic"]
        self.retained = bool(raw["retain"])
        self.body = json.loads(raw["payload"]) if raw["payload"].startswith("{") else raw["payload"]


class Subscriber:
    """Every message of `filter`, in the order in which they came. Its session survives the broker's restarts."""

    def __init__(self, broker, topic_filter="#"):
        self._folder = Path(tempfile.mkdtemp(prefix="subscriber-"))
        self._file = self._folder / "messages"
        self.messages = []
        self._unfinished = ""
        self._is_subscribed = False
        with self._file.open("wb") as file, (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V", "5", "-i", "subscriber", "-c",
                 "-x", "4294967295", "-q", "1", "-t", topic_filter, "-t", SIGN_OF_LIFE, "-F", "%j"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=log, preexec_fn=end_with_parent,
            )
        self._reader = self._file.open(encoding="utf-8")
        wait_until("the subscription is granted", self._subscribed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)
        self._reader.close()
        shutil.rmtree(self._folder)

    def _subscribed(self):
        self._read()
        return self._is_subscribed

    def _read(self):
        self._unfinished += self._reader.read()
        *lines, self._unfinished = self._unfinished.split("\n")
        for line in lines:
            message = Message(line)
            if message.topic == SIGN_OF_LIFE:
                self._is_subscribed = True
            else:
                self.messages.append(message)

    def of(self, topic):
        """What has come so far of one topic."""
        self._read()
        return [message for message in self.messages if message.topic == topic]

    def all(self):
        self._read()
        return self.messages

    def wait(self, topic, condition=lambda body: True, after=0, limit_s=120):
        """The first message of `topic` whose body fits, skipping the first `after` of that topic."""

        def found():
            return next((message for message in self.of(topic)[after:] if condition(message.body)), None)

        return wait_until(f"a message of {topic}", found, limit_s)

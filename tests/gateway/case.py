# SPDX-License-Identifier: Apache-2.0
"""What every case needs: the image, the packages, a guest, a broker, and words about what is missing."""
import json
import os
import shutil
import subprocess
import sys
import unittest
from datetime import datetime
from pathlib import Path

from broker import Broker, Subscriber
from guest import HOST, Guest, GuestError, wait_until

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
BUILD = Path(os.environ.get("SLUICE_BUILD_DIR", PROJECT / "build/release")).resolve()
PACKAGES = Path(os.environ.get("SLUICE_PACKAGES", BUILD / "tests/package/packages")).resolve()
CACHE = Path(os.environ.get("SLUICE_GATEWAY_CACHE", PROJECT / "build/gateway-cache")).resolve()
SKIPPED = 77
CONFIG = "/etc/sluice/sluice.toml"
DROP_INS = "/etc/systemd/system/sluice.service.d"


def give_up(reason):
    """Nothing can be tested. On CI, which can install everything, that is a failure."""
    print(f"skipped: {reason}", flush=True)
    sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)


def image():
    built = subprocess.run([HERE / "build_image.sh", CACHE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if built.returncode == SKIPPED:
        give_up(built.stderr.strip().splitlines()[-1])
    if built.returncode != 0:
        raise RuntimeError("build_image.sh: " + built.stderr)
    return built.stdout.split()[-1]


def built(folder, pattern):
    """The newest file of that pattern."""
    made = sorted(folder.glob(pattern), key=os.path.getmtime)
    if not made:
        give_up(f"there is no {pattern} in {folder}: build it first")
    return made[-1]


def counting_plugin():
    return built(BUILD / "tests/gateway/plugins", "sluice-acknowledged.so")


def report(text):
    """A figure or a remark for people, in the output of CTest."""
    print(f"-- {text}", flush=True)


def nanoseconds(stamp):
    """Of an RFC 3339 time with nanoseconds."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


class GatewayCase(unittest.TestCase):
    """A guest that runs and has the package installed, and a broker. One boot for each class: its tests run in the order
    of their names, and each leaves the guest as it found it."""

    payload = ()  # files beside the package: functions that answer a path
    rtc = None  # what the clock says at the first boot, instead of the time

    @classmethod
    def setUpClass(cls):
        cls.figures = {}
        cls.package = built(PACKAGES, "sluice_*.deb")
        cls.guest = cls.enter(Guest(image(), [cls.package, *(file() for file in cls.payload)]))
        cls.broker = cls.enter(Broker())
        cls.broker.start()
        cls.subscriber = cls.enter(Subscriber(cls.broker))
        cls.guest.boot(cls.rtc)
        cls.prepare()

    @classmethod
    def enter(cls, manager):
        value = manager.__enter__()
        cls.addClassCleanup(manager.__exit__, None, None, None)
        return value

    @classmethod
    def prepare(cls):
        cls.install()

    @classmethod
    def install(cls):
        cls.guest.run("dpkg -i /payload/sluice_*.deb", limit_s=300)

    def tell_state(self):
        """What the guest and the agent have to say, after a failure."""
        for command in ("systemctl status sluice --no-pager -l -n 0", "sluice status",
                        "journalctl -u sluice -o short-monotonic --no-pager -n 60"):
            try:
                print(f"--- {command}\n{self.guest.run(command, check=False)}", flush=True)
            except (GuestError, KeyError, OSError) as error:
                print(f"--- {command}: {error}", flush=True)

    @classmethod
    def install_counter(cls):
        """The plugin of promises.py; `payload` has to name it."""
        cls.guest.run("cp /payload/sluice-acknowledged.so /usr/lib/sluice/plugins/ && sync")

    @classmethod
    def configure(cls, text, drop_in=""):
        """Writes the configuration, with the broker in it, and what of the unit is to be otherwise, to the disk;
        restarts the agent."""
        cls.guest.write(CONFIG, cls.configuration(text))
        cls.guest.write(f"{DROP_INS}/test.conf", f"[Service]\nRestartSec=1\n{drop_in}\n")
        cls.guest.run("sync && systemctl daemon-reload && systemctl restart sluice", limit_s=180)

    @classmethod
    def configuration(cls, text):
        brokers = f'["mqtt://{HOST}:{cls.broker.port}"]'
        return f'[agent]\nid = "gateway"\n[mqtt]\nbrokers = {brokers}\nreconnect_max = "2s"\n{text}'

    def status(self):
        return json.loads(self.guest.run("sluice status --json 2>/dev/null"))

    def property(self, name):
        """Of the unit, as systemd knows it."""
        return self.guest.run(f"systemctl show -P {name} sluice")

    def wait_journal(self, text, limit_s=120):
        """Waits until a line of the agent's journal has this text."""
        quoted = text.replace("'", "'\\''")
        command = f"journalctl -u sluice -o cat --no-pager | grep -F -- '{quoted}'"
        return wait_until(f"the journal says: {text}", lambda: self.guest.run(command, check=False), limit_s, 0.5)

    def wait_connected(self):
        wait_until("the session is connected", lambda: self.status()["session"]["state"] == "up", 180, 0.5)


class Result(unittest.TextTestResult):
    """Tells about a failure when it happens, while the guest can still be asked."""

    def addError(self, test, error):
        super().addError(test, error)
        self._tell(test, self.errors[-1][1])

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._tell(test, self.failures[-1][1])

    def _tell(self, test, text):
        print(text, flush=True)
        if isinstance(test, GatewayCase):
            test.tell_state()


def main():
    for tool in ("mosquitto", "mosquitto_sub"):
        if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            give_up(f"{tool} is not installed (tests/packages.sh)")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    program = unittest.main(exit=False, testRunner=unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Result))
    sys.exit(0 if program.result.wasSuccessful() and program.result.testsRun else 1)

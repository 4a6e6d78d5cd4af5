# SPDX-License-Identifier: Apache-2.0
"""What every case needs: the image, the packages, a guest, a broker, and words about what is missing."""
import os
import subprocess
import sys
import unittest
from pathlib import Path

from broker import Broker, Subscriber
from guest import HOST, Guest, wait_until

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("SLUICE_BUILD_DIR", HERE.parent.parent / "build/release")).resolve()
CACHE = Path(os.environ.get("SLUICE_GATEWAY_CACHE", HERE.parent.parent / "build/gateway-cache")).resolve()
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


def package(name):
    """The path of the newest package of this name that the build made."""
    made = sorted(BUILD.glob(f"{name}_*.deb"), key=os.path.getmtime)
    if not made:
        give_up(f"there is no {name}_*.deb in {BUILD}: cmake --build {BUILD} --target package")
    return made[-1]


def report(text):
    """A figure or a remark for people, in the output of CTest."""
    print(f"-- {text}", flush=True)


class GatewayCase(unittest.TestCase):
    """A guest with the package installed, and a broker that runs. `configure` starts the agent."""

    payload = ()  # files beside the package

    def setUp(self):
        self.guest = self.enterContext(Guest(image(), [package("sluice"), *self.payload]))
        self.broker = self.enterContext(Broker())
        self.broker.start()
        self.subscriber = self.enterContext(Subscriber(self.broker))
        self.guest.boot()
        self.install()

    def enterContext(self, manager):  # of Python 3.11's unittest, which says nothing when the test failed meanwhile
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def install(self):
        self.guest.run("dpkg -i /payload/sluice_*.deb", limit_s=300)

    def configure(self, text, drop_in=""):
        """Writes the configuration, with the broker in it, and a drop-in for the unit; restarts the agent."""
        self.guest.write(CONFIG, self.configuration(text))
        if drop_in:
            self.guest.write(f"{DROP_INS}/test.conf", "[Service]\n" + drop_in)
            self.guest.run("systemctl daemon-reload")
        self.guest.run("systemctl restart sluice", limit_s=180)

    def configuration(self, text):
        return f'[mqtt]\nbrokers = ["mqtt://{HOST}:{self.broker.port}"]\nreconnect_max = "2s"\n{text}'

    def journal(self):
        return self.guest.run("journalctl -u sluice -o cat --no-pager")

    def status(self):
        import json

        return json.loads(self.guest.run("sluice status --json"))

    def main_pid(self):
        return int(self.guest.run("systemctl show -P MainPID sluice"))

    def run(self, result=None):
        problems = len((result or self.defaultTestResult()).failures) if result else 0
        errors = len(result.errors) if result else 0
        self._seen = (problems, errors)
        return super().run(result)


def main():
    program = unittest.main(exit=False, verbosity=2)
    sys.exit(0 if program.result.wasSuccessful() and program.result.testsRun else 1)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From `dpkg -i` to data in a broker, by every input under the packaged unit; and what a package's life does to the queue."""
import importlib.util
import json
import subprocess
import time

import case
from broker import free_port
from case import CONFIG, PROJECT, GatewayCase, give_up, nanoseconds, report
from guest import HOST, UARTS, end_with_parent, wait_until
from modbus_unit import ModbusUnit


class ModbusServer:
    """tests/support/modbus_server.py on the host's loopback."""

    def __init__(self, units):
        self.port = free_port()
        self._process = subprocess.Popen(
            ["/usr/bin/python3", PROJECT / "tests/support/modbus_server.py", "--tcp", str(self.port), json.dumps(units)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
        )
        assert self._process.stdout.readline() == "ready\n", "the Modbus server did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()


def inputs(modbus_port):
    return f"""
[[input]]
plugin = "serial"
name = "meter"
device = "{UARTS["meter"]}"
delimiter = '\\r\\n'
number = true

[[input]]
plugin = "modbus"
name = "plc"
topic = "{{agent}}/{{input}}/{{tag}}"
server = "{HOST}"
port = {modbus_port}
[[input.unit]]
id = 1
tag = [{{ name = "pressure", address = 4, type = "uint32" }}]

[[input]]
plugin = "modbus"
name = "bus"
topic = "{{agent}}/{{input}}/{{tag}}"
transport = "rtu"
device = "{UARTS["bus"]}"
baud = 19200
response_timeout = "5s"
[[input.unit]]
id = 7
tag = [{{ name = "level", address = 1, type = "int16" }}]

[[input]]
plugin = "gpio"
name = "cabinet"
topic = "{{agent}}/{{input}}/{{line}}"
chip = "cabinet"
[[input.line]]
name = "door"
"""


class FromPackageToBroker(GatewayCase):
    @classmethod
    def prepare(cls):
        cls.modbus = cls.enter(ModbusServer({"1": {"holding": {"4": [1, 2]}}}))
        cls.enter(ModbusUnit(cls.guest, "bus", 7, [0, 0x10000 - 42, 0]))
        cls.guest.run("gpio-sim create cabinet lamp door")
        report(f"package {cls.package.name}: {cls.package.stat().st_size / 1e3:.0f} kB")
        dev = case.built(case.PACKAGES, "sluice-dev_*.deb")
        report(f"package {dev.name}: {dev.stat().st_size / 1e3:.0f} kB")

    def during(self, stimulus, topic, fits):
        """The message that follows `stimulus`; its time stamp lies between the guest's clock before and after."""
        before = self.guest.clock_ns()
        stimulus()
        message = self.subscriber.wait(topic, fits)
        after = self.guest.clock_ns()
        stamp = nanoseconds(message.body["ts"])
        self.assertLessEqual(before, stamp)
        self.assertLessEqual(stamp, after)
        return message

    def test_1_installs_and_waits_for_its_configuration(self):
        self.install()
        self.assertEqual(self.property("ActiveState"), "inactive", "the sample is not to be run unasked")
        self.assertEqual(self.guest.run("systemctl is-enabled sluice"), "enabled")
        self.assertIn("gpio", self.guest.run("id -nG sluice"))
        self.assertIn("dialout", self.guest.run("id -nG sluice"))
        self.assertEqual(self.guest.run("stat -c %G /dev/gpiochip0"), "gpio", "also a chip that was there before")

    def test_2_collects_from_every_input(self):
        self.guest.write(CONFIG, self.configuration(inputs(self.modbus.port)))
        self.guest.run("sluice check")
        self.guest.run("systemctl start sluice", limit_s=180)
        self.wait_connected()
        self.wait_journal(f"opened {UARTS['meter']}")

        measure = lambda: self.guest.uart("meter").write(b"1234.5\r\n")
        self.during(measure, "gateway/meter", lambda body: body["value"] == 1234.5)
        self.assertEqual(self.subscriber.wait("gateway/plc/pressure").body["value"], 0x00010002)
        self.assertEqual(self.subscriber.wait("gateway/bus/level").body["value"], -42)
        self.subscriber.wait("gateway/cabinet/door", lambda body: body["value"] == 0)
        open_door = lambda: self.guest.run("gpio-sim pull cabinet 1 1")
        edge = self.during(open_door, "gateway/cabinet/door", lambda body: "edge" in body)
        self.assertEqual((edge.body["value"], edge.body["edge"], edge.body["seq"]), (1, "rising", 1))
        self.assertEqual(self.subscriber.wait("sluice/gateway/status").body["state"], "online")

    def test_3_tells_systemd_and_the_journal(self):
        wait_until("STATUS= tells the link", lambda: self.property("StatusText").startswith("connected to mqtt://"), 60, 0.5)
        self.assertIn("opened", self.guest.run("journalctl -u sluice SLUICE_INPUT=meter -o cat --no-pager"))
        self.assertEqual(self.guest.run("stat -c '%U %a' /var/lib/sluice"), "sluice 750")
        self.assertEqual(self.guest.run("ps -o user= -C sluice"), "sluice")
        exposure = self.guest.run("systemd-analyze security --no-pager sluice | tail -1")
        report(exposure.strip("→ "))
        self.assertLessEqual(float(exposure.split(":")[1].split()[0]), 2.0)
        policies = self.guest.run("sed 's/.*) //' /proc/$(systemctl show -P MainPID sluice)/task/*/stat | cut -d ' ' -f 39")
        self.assertIn("3", policies.split(), "SCHED_BATCH: the sandbox lets the thread that writes have it")
        resident = self.guest.run("awk '/^VmRSS/ {print $2}' /proc/$(systemctl show -P MainPID sluice)/status")
        report(f"resident, with serial, modbus and gpio at work: {int(resident) / 1024:.1f} MiB")

    def test_4_starts_with_the_machine(self):
        self.guest.shut_down()
        seen = len(self.subscriber.of("gateway/plc/pressure"))
        switched_on = time.monotonic()
        self.guest.boot()
        self.subscriber.wait("gateway/plc/pressure", after=seen, limit_s=240)
        report(f"from power-on to the first message in the broker: {time.monotonic() - switched_on:.1f} s, emulated")
        report("in the guest: " + self.guest.run("systemd-analyze").splitlines()[0])

    def test_5_the_queue_survives_all_but_purge(self):
        self.broker.stop()
        wait_until("messages are on disk", lambda: self.stored() >= 3, 120, 0.5)
        self.install()  # again, while it runs
        self.assertEqual(self.property("ActiveState"), "active")
        self.assertGreaterEqual(self.stored(), 3)
        self.guest.run("dpkg -r sluice", limit_s=180)
        self.assertEqual(self.property("ActiveState"), "inactive")
        self.assertNotEqual(self.guest.run("ls /var/lib/sluice/queue/mqtt"), "")
        self.assertTrue(self.guest.succeeds(f"test -f {CONFIG}"))

        self.install()
        self.assertEqual(self.property("ActiveState"), "active", "it has a configuration, so it runs again")
        kept = self.stored()
        self.assertGreaterEqual(kept, 3)
        self.broker.start()
        self.wait_connected()
        wait_until("the queue is empty", lambda: self.stored() == 0, 120, 0.5)
        ledger = json.loads(self.guest.run("sluice buffer verify --json 2>/dev/null"))
        report(f"{kept} messages survived reinstallation and removal")
        self.assertTrue(ledger, "the ledger holds")

        self.guest.run("dpkg -P sluice", limit_s=180)
        self.assertFalse(self.guest.succeeds("test -e /var/lib/sluice || test -e /etc/sluice"))
        self.install()
        self.assertEqual(self.property("ActiveState"), "inactive")

    def stored(self):
        return json.loads(self.guest.run("sluice buffer stat --json 2>/dev/null"))["messages"]


if __name__ == "__main__":
    if importlib.util.find_spec("pymodbus") is None:
        give_up("python3-pymodbus is not installed (tests/packages.sh)")
    case.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What systemd sees of the agent: stalls that end in a restart, waits that do not, reloads, stops, and bad beginnings."""
import case
from case import CONFIG, GatewayCase, counting_plugin, report
from guest import UARTS, wait_until
from promises import Promises, counting_input

WATCHDOG_S = 20  # the unit has 90 s: shorter, so that the case is, and long enough for a slow machine
A_MINUTE_S = 60
DISK = "/var/lib/sluice"
COUNTING = f"""
max_inflight = 5
[buffer]
durability = "strict"
{counting_input(50)}
"""
INCOMPLETE = """
[[input]]
plugin = "simulator"
name = "sim"
[[input]]
plugin = "serial"
name = "meter"
device = "/dev/adapter"
[[input]]
plugin = "gpio"
name = "cabinet"
chip = "cabinet"
[[input.line]]
name = "door"
"""


class UnderSystemd(GatewayCase):
    payload = (counting_plugin,)

    @classmethod
    def prepare(cls):
        cls.install()
        cls.install_counter()

    def setUp(self):
        self.promises = Promises(self.guest, self.subscriber)

    def restarts(self):
        return int(self.property("NRestarts"))

    def wait_arrived(self, what):
        self.promises.listen()
        wait_until("everything promised has arrived", lambda: self.promises.missing() == 0, 240)
        report(f"{what}: {self.promises.count()} promised, all arrived, {self.promises.repeated()} twice")

    # ---- the watchdog ----

    def test_1_a_stalled_storage_thread_ends_in_a_restart(self):
        self.stall("storage")

    def test_2_a_stalled_session_thread_ends_in_a_restart(self):
        self.stall("session")

    def stall(self, thread):
        self.configure(COUNTING, f"WatchdogSec={WATCHDOG_S}\nEnvironment=SLUICE_TEST_STALL={thread}:5")
        self.promises.wait_more(1)
        wait_until("systemd starts it again", lambda: self.restarts() >= 1, 240, 0.5)
        self.promises.listen()
        self.wait_journal("Watchdog timeout")
        self.configure(COUNTING)
        self.promises.wait_more(1)
        self.wait_arrived(f"{thread} thread stalled")

    def test_3_a_disk_that_stands_still_does_not(self):
        self.put_state_on_a_disk_of_its_own()
        self.configure(COUNTING, f"WatchdogSec={WATCHDOG_S}")
        self.promises.wait_more(100)
        pid = self.property("MainPID")
        stand_still = f"dmsetup suspend --nolockfs slow && sleep {A_MINUTE_S}; dmsetup resume slow"
        self.guest.run(stand_still, limit_s=A_MINUTE_S + 120)
        self.promises.wait_more(100)
        self.assertEqual((self.property("MainPID"), self.restarts()), (pid, 0))
        self.wait_arrived(f"disk suspended for {A_MINUTE_S} s")
        self.guest.run(f"systemctl stop sluice && umount {DISK} && dmsetup remove slow && losetup -D")

    def put_state_on_a_disk_of_its_own(self):
        # Larger than reserve_free, so that there is room.
        self.guest.run(
            f"systemctl stop sluice; truncate -s 256M /disk && losetup /dev/loop0 /disk && mkfs.ext4 -q /dev/loop0 && "
            f"dmsetup create slow --table '0 524288 linear /dev/loop0 0' && "
            f"mkdir -p {DISK} && mount /dev/mapper/slow {DISK} && chown sluice:sluice {DISK} && chmod 750 {DISK}"
        )

    def test_4_a_resolver_that_does_not_answer_does_not(self):
        configuration = self.configuration(COUNTING).replace(case.HOST, "broker.test")
        # One look-up takes longer than the watchdog's time.
        self.guest.run("cp /etc/resolv.conf /etc/hosts /root; echo options timeout:30 attempts:5 >> /etc/resolv.conf")
        self.guest.run("nft add table ip t && nft 'add chain ip t o { type filter hook output priority 0; }' && "
                       "nft add rule ip t o udp dport 53 drop")
        self.guest.write(CONFIG, configuration)
        self.guest.write(f"{case.DROP_INS}/test.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
        self.guest.run("systemctl daemon-reload && systemctl restart sluice", limit_s=180)
        pid = self.property("MainPID")
        self.promises.wait_more(100)
        self.guest.run(f"sleep {A_MINUTE_S}", limit_s=A_MINUTE_S + 60)
        self.assertEqual((self.property("MainPID"), self.restarts()), (pid, 0))
        self.assertNotEqual(self.status()["session"]["state"], "up")
        self.guest.run(f"nft delete table ip t; echo {case.HOST} broker.test >> /etc/hosts")
        self.promises.listen()
        wait_until("everything promised has arrived", lambda: self.promises.missing() == 0, 400)
        self.assertEqual((self.property("MainPID"), self.restarts()), (pid, 0))
        self.guest.run("cp /root/resolv.conf /root/hosts /etc")

    # ---- signals and configurations ----

    def test_5_a_reload_takes_a_good_file_and_refuses_a_bad_one(self):
        simulator = '[[input]]\nplugin = "simulator"\nname = "sim"\nrate = 5.0\n'
        self.configure(simulator)
        self.subscriber.wait("gateway/sim")
        pid = self.property("MainPID")
        renaming = simulator + '[[route]]\nmatch = "#"\nto = ["mqtt"]\ntopic = "renamed/{topic}"\n'
        self.guest.write(CONFIG, self.configuration(renaming))
        self.guest.run("systemctl reload sluice")
        self.subscriber.wait("renamed/gateway/sim")
        self.guest.write(CONFIG, self.configuration("[[input]]\nplugin = 5\n"))
        self.guest.run("systemctl reload sluice")
        self.wait_journal("the configuration stays as it was")
        seen = len(self.subscriber.of("renamed/gateway/sim"))
        self.subscriber.wait("renamed/gateway/sim", after=seen)
        self.assertEqual((self.property("MainPID"), self.property("ActiveState")), (pid, "active"))

        self.guest.run("systemctl restart sluice", limit_s=120)
        self.assertTrue(self.status()["agent"]["last_good_configuration"])
        seen = len(self.subscriber.of("renamed/gateway/sim"))
        self.subscriber.wait("renamed/gateway/sim", after=seen)

    def test_6_a_stop_while_it_drains_loses_nothing(self):
        self.broker.stop()
        self.configure(COUNTING)
        self.promises.wait_more(500)
        enough = len(self.promises.arrivals()) + 50
        self.broker.start()
        wait_until(f"{enough} messages have arrived", lambda: len(self.promises.arrivals()) >= enough, pause_s=0.01)
        self.guest.run("systemctl stop sluice", limit_s=60)
        self.assertEqual((self.property("Result"), self.property("ExecMainStatus")), ("success", "0"))
        self.promises.listen()
        self.guest.run("systemctl start sluice", limit_s=120)
        self.wait_arrived("stopped while draining")

    def test_7_starts_without_broker_adapter_and_chip(self):
        self.broker.stop()
        self.guest.run("systemctl stop sluice; rm -f /dev/adapter")
        seen = len(self.subscriber.of("gateway/sim"))
        self.configure(INCOMPLETE)
        self.assertEqual(self.property("ActiveState"), "active")
        states = {one["name"]: one["error"] for one in self.status()["instances"]}
        self.assertIn("/dev/adapter", wait_until("the meter's error", lambda: self.error_of("meter"), pause_s=0.5), states)
        self.assertIn("cabinet", wait_until("the chip's error", lambda: self.error_of("cabinet"), pause_s=0.5))

        self.broker.start()
        self.subscriber.wait("gateway/sim", after=seen)
        self.guest.run(f"ln -s {UARTS['meter']} /dev/adapter")
        self.wait_journal("opened /dev/adapter")
        self.guest.uart("meter").write(b"here\n")
        self.subscriber.wait("gateway/meter", lambda body: body["value"] == "here")
        self.guest.run("gpio-sim create cabinet door")
        self.subscriber.wait("gateway/cabinet", lambda body: body["value"] == 0)

    def error_of(self, name):
        return next(one["error"] for one in self.status()["instances"] if one["name"] == name)


if __name__ == "__main__":
    case.main()

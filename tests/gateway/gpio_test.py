#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The GPIO plugin on the kernel's own character device, with simulated chips: SLUICE_FULL=1 for 10,000 edges, not 1,000."""
import os

import case
from case import BUILD, GatewayCase, built, nanoseconds, report
from guest import wait_until

PACED = 10_000 if os.environ.get("SLUICE_FULL") == "1" else 1_000
BURST = 500
EVENT_BUFFER = 1024
SMALL_BUFFER = 64
TOPIC = "gateway/cabinet/meter"
SETTINGS = f"""
[[input]]
plugin = "gpio"
name = "cabinet"
topic = "{{agent}}/{{input}}/{{line}}"
chip = "cabinet"
event_buffer = {EVENT_BUFFER}
[[input.line]]
name = "door"
[[input.line]]
name = "meter"
line_name = "pulse"
[[input.line]]
name = "relay"
direction = "out"
[[input]]
plugin = "simulator"
name = "other"
[[mqtt.subscribe]]
filter = "cmd/{{agent}}/#"
[[route]]
match = "#"
to = ["mqtt"]
[[route]]
match = "cmd/+/cabinet/+"
from = "broker"
to = ["cabinet"]
"""
DOOR, PULSE, RELAY = 1, 2, 3  # offsets


class Gpio(GatewayCase):
    payload = (lambda: built(BUILD / "tests/plugins/gpio", "gpio_test"),)

    @classmethod
    def prepare(cls):
        cls.install()

    def setUp(self):
        self.guest.run("gpio-sim create cabinet lamp door pulse relay")
        self.seen = len(self.subscriber.of(TOPIC))
        self.configure(SETTINGS)
        self.subscriber.wait(TOPIC, after=self.seen)  # the state at the start
        self.seen = len(self.subscriber.of(TOPIC))

    def tearDown(self):
        self.guest.run("systemctl stop sluice; gpio-sim remove cabinet", check=False)

    def edges(self):
        return [message.body for message in self.subscriber.of(TOPIC)[self.seen :] if "edge" in message.body]

    def metrics(self):
        return self.status()["metrics"]["input.cabinet.plugin"]

    def wait_taken(self):
        """Waits until every edge that the kernel has numbered has come, or is counted. Answers how many came, were
        dropped, and were seen to be merged."""
        wait_until("the plugin has read all edges", self.is_idle, 300, 0.5)
        counted = self.metrics()
        came = int(counted["edges"])
        wait_until(f"{came} edges have arrived", lambda: len(self.edges()) >= came, 300)
        edges = self.edges()
        dropped, merged = int(counted["lost_edges"]), int(counted["merged_edges"])
        self.assertEqual(len(edges), came)
        self.assertEqual(edges[-1]["seq"], came + dropped, "every number came or is counted")
        self.assertEqual(sum(edge.get("lost", 0) for edge in edges), dropped + merged, "the messages say the same")
        same_way_twice = sum(
            (one["edge"] == next["edge"]) != ((next["seq"] - one["seq"]) % 2 == 0) for one, next in zip(edges, edges[1:])
        )
        self.assertEqual(merged, same_way_twice)
        return came, dropped, merged

    def is_idle(self):
        """Has the kernel nothing more to tell?"""
        before = self.metrics()["edges"]
        return before > 0 and self.edges() and before == self.metrics()["edges"]

    def test_1_answers_as_the_unit_tests_expect(self):
        self.guest.run("systemctl stop sluice")
        output = self.guest.run("SLUICE_TEST_GPIO_CHIP=cabinet /payload/gpio_test --gtest_filter='RealKernel.*'")
        self.assertIn("[  PASSED  ] 1 test", output)

    def test_2_edges_have_the_kernels_time(self):
        """The agent stands still while the edge comes: its time stamp is older than the moment when it goes on."""
        pid = self.property("MainPID")
        before, after = self.guest.run(
            f"kill -STOP {pid}; date +%s%N; gpio-sim pull cabinet {PULSE} 1; date +%s%N; kill -CONT {pid}"
        ).split()
        wait_until("the edge", lambda: self.edges())
        edge = self.edges()[0]
        self.assertEqual((edge["value"], edge["edge"], edge["seq"]), (1, "rising", 1))
        self.assertLessEqual(int(before), nanoseconds(edge["ts"]))
        self.assertLessEqual(nanoseconds(edge["ts"]), int(after))

    def test_3_loses_no_paced_edge(self):
        part = EVENT_BUFFER // 2  # as much as the kernel can keep while the agent gets no processor
        for sent in range(0, PACED, part):
            count = min(part, PACED - sent)
            self.guest.run(f"gpio-sim paced-edges cabinet {PULSE} {count}", limit_s=300)
            wait_until(f"{sent + count} edges", lambda: len(self.edges()) >= sent + count, 300)
        self.assertEqual([edge["seq"] for edge in self.edges()], list(range(1, PACED + 1)))
        self.assertEqual([edge["value"] for edge in self.edges()], [1, 0] * (PACED // 2))
        self.assertEqual((self.metrics()["lost_edges"], self.metrics()["merged_edges"]), (0, 0))
        report(f"{PACED} paced edges: none lost")

    def test_4_counts_what_the_kernel_drops(self):
        """More edges than the kernel's buffer holds, while the agent stands still."""
        self.configure(SETTINGS.replace(f"event_buffer = {EVENT_BUFFER}", f"event_buffer = {SMALL_BUFFER}"))
        self.subscriber.wait(TOPIC, after=self.seen)
        pid = self.property("MainPID")
        self.guest.run(f"kill -STOP {pid}; gpio-sim paced-edges cabinet {PULSE} {BURST}; kill -CONT {pid}", limit_s=300)
        wait_until("the last edge", lambda: self.edges() and self.edges()[-1]["seq"] == BURST)
        came, dropped, merged = self.wait_taken()
        report(f"{BURST} edges while the agent stood still: {came} came, {dropped} dropped by the kernel, all counted")
        self.assertEqual((came + dropped, merged), (BURST, 0))
        self.assertGreaterEqual(dropped, BURST - SMALL_BUFFER)
        self.wait_journal("the kernel dropped edges")

    def test_5_accounts_for_a_burst(self):
        """Without a pause the kernel takes several edges for one: no number tells of these, only the direction may."""
        self.guest.run(f"gpio-sim edges cabinet {PULSE} {BURST}", limit_s=300)
        came, dropped, merged = self.wait_taken()
        report(f"a burst of {BURST} edges: {came} came, {dropped} dropped and counted, {merged} seen to be merged, "
               f"{BURST - came - dropped - merged} merged in pairs, which nobody can see")
        self.assertLessEqual(came + dropped + merged, BURST)

    def test_6_waits_for_a_line_that_somebody_else_uses(self):
        self.guest.run("systemctl stop sluice")
        self.guest.run(f"systemd-run --quiet --unit holder gpiomon cabinet {DOOR}")
        wait_until("somebody holds the line", lambda: "gpiomon" in self.guest.run("gpioinfo cabinet"), pause_s=0.3)
        self.guest.run("systemctl start sluice")
        self.wait_journal('is in use by "gpiomon"')
        others = len(self.subscriber.of("gateway/other"))
        self.subscriber.wait("gateway/other", after=others)
        seen = len(self.subscriber.of(TOPIC))
        self.guest.run("systemctl stop holder")
        self.subscriber.wait(TOPIC, lambda body: body["value"] == 0, after=seen)

    def test_7_notices_that_the_chip_goes_and_comes(self):
        self.guest.run("gpio-sim remove cabinet")
        self.subscriber.wait(TOPIC, lambda body: body.get("quality") == "bad", after=self.seen)
        seen = len(self.subscriber.of(TOPIC))
        self.guest.run("gpio-sim create cabinet lamp door pulse relay")
        self.subscriber.wait(TOPIC, lambda body: body["value"] == 0 and "quality" not in body, after=seen)

    def test_8_sets_an_output(self):
        self.wait_connected()
        before = self.guest.run(f"gpio-sim value cabinet {RELAY}")
        self.assertEqual(before, "0")
        self.guest.run("sluice send cmd/gateway/cabinet/relay 1")
        wait_until("the relay is on", lambda: self.guest.run(f"gpio-sim value cabinet {RELAY}") == "1", pause_s=0.3)


if __name__ == "__main__":
    case.main()

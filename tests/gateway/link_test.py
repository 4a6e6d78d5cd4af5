#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of the link: whatever happens to it, everything arrives, in order."""
import case
from case import GatewayCase, counting_plugin, report
from guest import wait_until
from promises import Promises, counting_input

SETTINGS = f"""
ack_timeout = "5s"
keepalive = "5s"
connect_timeout = "5s"
[buffer]
durability = "strict"
{counting_input(50)}
"""


class LinkFaults(GatewayCase):
    payload = (counting_plugin,)

    @classmethod
    def prepare(cls):
        cls.install()
        cls.install_counter()
        cls.configure(SETTINGS)

    def setUp(self):
        self.promises = Promises(self.guest, self.subscriber)
        self.promises.wait_more(50)
        self.wait_arrived()

    def wait_arrived(self):
        wait_until("everything promised has arrived", lambda: self.promises.missing() == 0, 240)

    def pile_up(self):
        """Until the fault has held up a good many messages."""
        wait_until("messages wait", lambda: self.promises.listen() and self.promises.missing() >= 300, 240)

    def tell(self, fault):
        self.promises.listen()
        self.wait_arrived()
        report(f"{fault}: {self.promises.count()} promised, all arrived, {self.promises.repeated()} twice")
        self.assertTrue(self.promises.in_order())

    def test_1_the_cable_is_pulled(self):
        self.guest.monitor("set_link n0 off")
        self.pile_up()
        self.guest.monitor("set_link n0 on")
        self.tell("link off")

    def test_2_the_connection_is_half_open(self):
        """No packet goes either way, and nobody says so."""
        self.guest.run("nft add table ip t; for hook in input output; do "
                       "nft \"add chain ip t $hook { type filter hook $hook priority 0; policy drop; }\"; done")
        self.pile_up()
        self.guest.run("nft delete table ip t")
        self.tell("packets dropped")

    def test_3_the_link_is_slow_and_loses_packets(self):
        self.guest.run("tc qdisc add dev $(ls /sys/class/net | grep ^e) root netem delay 200ms loss 5%")
        self.promises.wait_more(500)
        self.tell("200 ms delay and 5 % loss")
        self.guest.run("tc qdisc del dev $(ls /sys/class/net | grep ^e) root")

    def test_4_the_broker_restarts(self):
        for _ in range(3):
            self.broker.stop()
            self.promises.wait_more(50)
            self.broker.start()
            self.wait_connected()
            self.promises.wait_more(20)
        self.tell("broker restarted 3 times")


if __name__ == "__main__":
    case.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A broker that does what a script says, for answers that no real broker gives on demand (MQTT 3.1, 3.1.1 and 5).

Arguments: PORT SCRIPT, the latter a JSON list with one object a connection; the last one serves all further ones.
Prints "listening", then each packet that it received as a JSON line. Keys of a connection's object, all optional:

connack            reason code, default 0; null: never answers the CONNECT
session_present    0 or 1
receive_maximum, maximum_packet_size, maximum_qos, retain_available, server_keep_alive    properties (MQTT 5)
suback             list of codes, one a SUBSCRIBE, the last for all further ones; default: the QoS asked for;
                   null: never answered
puback, pubrec     reason code for all, or an object of codes by topic, or a list of codes, one a PUBLISH of all
                   connections together, the last for all further ones; default 0; null: never answered
pubcomp            false: PUBREL is never answered
answer_after       answers come this many milliseconds after the packet, so that what is sent ahead shows
disconnect         reason code of a DISCONNECT sent after the CONNACK
disconnect_on      [topic, code]: a DISCONNECT in answer to a PUBLISH of that topic; code null: the connection is
                   closed without a word
deaf_after         topic: after a PUBLISH of it everything is read and thrown away
close_on           type of packet ("CONNECT", "SUBSCRIBE", "PUBREL" …) on which the connection is closed
send               list of {topic, payload, qos, retain} sent after the first SUBACK
"""
import asyncio
import json
import sys

NAMES = {1: "CONNECT", 3: "PUBLISH", 4: "PUBACK", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP", 8: "SUBSCRIBE",
         10: "UNSUBSCRIBE", 12: "PINGREQ", 14: "DISCONNECT", 15: "AUTH"}
BYTE_PROPERTIES = {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A}
SHORT_PROPERTIES = {0x13, 0x21, 0x22, 0x23}
LONG_PROPERTIES = {0x02, 0x11, 0x18, 0x27}
TEXT_PROPERTIES = {0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F}


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        taken = self.data[self.at:self.at + count]
        self.at += count
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def text(self):
        return self.take(self.number(2)).decode(errors="replace")

    def variable(self):
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def properties(self):
        """By number in hexadecimal; user properties as a list of pairs."""
        found = {}
        end = self.variable()
        end += self.at
        while self.at < end:
            kind = self.number(1)
            key = f"{kind:02x}"
            if kind in BYTE_PROPERTIES:
                found[key] = self.number(1)
            elif kind in SHORT_PROPERTIES:
                found[key] = self.number(2)
            elif kind in LONG_PROPERTIES:
                found[key] = self.number(4)
            elif kind in TEXT_PROPERTIES:
                found[key] = self.text()
            elif kind == 0x0B:
                found[key] = self.variable()
            elif kind == 0x26:
                found.setdefault(key, []).append([self.text(), self.text()])
            else:
                raise ValueError(f"property {kind:#x}")
        return found

    def rest(self):
        return self.data[self.at:]


def variable(value):
    out = bytearray()
    while True:
        byte = value & 127
        value >>= 7
        out.append(byte | (128 if value else 0))
        if not value:
            return bytes(out)


def packet(first, body):
    return bytes([first]) + variable(len(body)) + body


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


class Connection:
    def __init__(self, number, script, reader, writer):
        self.number = number
        self.script = script
        self.reader = reader
        self.writer = writer
        self.version = 5
        self.unanswered = 0
        self.subscribes = 0
        self.deaf = False

    def record(self, kind, **fields):
        print(json.dumps({"connection": self.number, "packet": kind, **fields}), flush=True)

    def send(self, data):
        if not self.writer.is_closing():
            self.writer.write(data)

    def later(self, data, answered=False):
        """Sends an answer when the script wants it."""
        def now():
            self.unanswered -= 1 if answered else 0
            self.send(data)
        delay = self.script.get("answer_after", 0)
        if delay:
            asyncio.get_running_loop().call_later(delay / 1000, now)
        else:
            now()

    def disconnect(self, code):
        if code is not None:
            self.send(packet(0xE0, bytes([code]) if self.version == 5 else b""))
        self.writer.close()

    def code(self, key, topic):
        codes = self.script.get(key, 0)
        if isinstance(codes, list):
            return codes.pop(0) if len(codes) > 1 else codes[0]
        return codes.get(topic, 0) if isinstance(codes, dict) else codes

    def answer(self, first, mid, code, answered=False):
        body = mid.to_bytes(2, "big")
        if code and self.version == 5:
            body += bytes([code])
        self.later(packet(first, body), answered)

    async def run(self):
        try:
            while not self.writer.is_closing():
                if self.deaf:
                    if not await self.reader.read(65536):
                        break
                    continue
                first = (await self.reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    byte = (await self.reader.readexactly(1))[0]
                    length |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = Reader(await self.reader.readexactly(length))
                name = NAMES.get(first >> 4, str(first >> 4))
                getattr(self, "on_" + name.lower(), self.on_other)(first, body)
                if self.script.get("close_on") == name:
                    self.writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.record("END")
        self.writer.close()

    def on_other(self, first, body):
        self.record(NAMES.get(first >> 4, str(first >> 4)))

    def on_connect(self, first, body):
        body.text()
        self.version = body.number(1)
        flags = body.number(1)
        fields = {"version": self.version, "clean": bool(flags & 2), "keepalive": body.number(2)}
        fields["properties"] = body.properties() if self.version == 5 else {}
        fields["client_id"] = body.text()
        if flags & 4:
            will = {"qos": flags >> 3 & 3, "retain": bool(flags & 0x20)}
            if self.version == 5:
                body.properties()
            will["topic"] = body.text()
            will["payload"] = body.text()
            fields["will"] = will
        fields["username"] = body.text() if flags & 0x80 else None
        self.record("CONNECT", **fields)
        code = self.script.get("connack", 0)
        if code is None:
            return
        answer = bytes([self.script.get("session_present", 0), code])
        if self.version == 5:
            properties = b""
            for key, kind, size in (("receive_maximum", 0x21, 2), ("maximum_packet_size", 0x27, 4),
                                    ("maximum_qos", 0x24, 1), ("retain_available", 0x25, 1),
                                    ("server_keep_alive", 0x13, 2)):
                if key in self.script:
                    properties += bytes([kind]) + self.script[key].to_bytes(size, "big")
            answer += variable(len(properties)) + properties
        self.send(packet(0x20, answer))
        if code != 0:
            self.writer.close()
        elif "disconnect" in self.script:
            self.disconnect(self.script["disconnect"])

    def on_publish(self, first, body):
        topic = body.text()
        qos = first >> 1 & 3
        mid = body.number(2) if qos else 0
        properties = body.properties() if self.version == 5 else {}
        self.record("PUBLISH", topic=topic, qos=qos, mid=mid, dup=bool(first & 8), retain=bool(first & 1),
                    payload=body.rest().decode(errors="replace"), properties=properties,
                    unanswered=self.unanswered)
        self.deaf = topic == self.script.get("deaf_after")
        on = self.script.get("disconnect_on")
        if on and on[0] == topic:
            self.disconnect(on[1])
        elif qos:
            self.unanswered += 1
            code = self.code("puback" if qos == 1 else "pubrec", topic)
            if code is not None:
                self.answer(0x40 if qos == 1 else 0x50, mid, code, answered=qos == 1 or code >= 0x80)

    def on_pubrel(self, first, body):
        mid = body.number(2)
        self.record("PUBREL", mid=mid)
        if self.script.get("pubcomp", True) and self.script.get("close_on") != "PUBREL":
            self.answer(0x70, mid, 0, answered=True)

    def on_pubrec(self, first, body):
        mid = body.number(2)
        self.record("PUBREC", mid=mid)
        self.send(packet(0x62, mid.to_bytes(2, "big")))

    def on_subscribe(self, first, body):
        mid = body.number(2)
        if self.version == 5:
            body.properties()
        filters = []
        while body.rest():
            filters.append([body.text(), body.number(1)])
        self.record("SUBSCRIBE", filters=filters)
        codes = self.script.get("suback", [])
        if codes is None:
            return
        granted = [options & 3 for _, options in filters]
        if codes:
            granted = [codes[min(self.subscribes, len(codes) - 1)]] * len(filters)
        self.subscribes += 1
        self.later(packet(0x90, mid.to_bytes(2, "big") + (b"\0" if self.version == 5 else b"") + bytes(granted)))
        if self.subscribes == 1:
            for number, message in enumerate(self.script.get("send", []), 1):
                qos = message.get("qos", 0)
                body = text(message["topic"]) + (number.to_bytes(2, "big") if qos else b"")
                body += (b"\0" if self.version == 5 else b"") + message["payload"].encode()
                self.send(packet(0x30 | qos << 1 | (1 if message.get("retain") else 0), body))

    def on_pingreq(self, first, body):
        self.record("PINGREQ")
        self.send(b"\xD0\x00")

    def on_disconnect(self, first, body):
        self.record("DISCONNECT", reason=body.number(1) if body.rest() else 0)
        self.writer.close()


async def main():
    port, scripts = int(sys.argv[1]), json.loads(sys.argv[2])
    count = 0

    async def serve(reader, writer):
        nonlocal count
        count += 1
        await Connection(count, scripts[min(count, len(scripts)) - 1], reader, writer).run()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())

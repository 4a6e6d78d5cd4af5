# SPDX-License-Identifier: Apache-2.0
"""A Modbus RTU unit with a few holding registers at the far end of a UART, answering on a thread of its own."""
import contextlib
import struct
import threading

READ_HOLDING = 3
ILLEGAL_FUNCTION = 1
REQUEST_BYTES = 8  # of every function that reads


def checksum(frame):
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


class ModbusUnit:
    """`registers`: what it holds, from address 0. Goes on when the guest boots again."""

    def __init__(self, guest, uart, unit, registers):
        self._guest = guest
        self._name = uart
        self._unit = unit
        self._registers = registers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(10)

    def _serve(self):
        received = b""
        while not self._ended.wait(0.01):
            with contextlib.suppress(OSError, KeyError):  # the guest is off
                uart = self._guest.uart(self._name)
                received += uart.read()
                received = self._answer_all(uart, received)

    def _answer_all(self, uart, received):
        """Answers whole requests, and gives back what is left."""
        while len(received) >= REQUEST_BYTES:
            frame = received[:REQUEST_BYTES]
            if checksum(frame[:-2]) != frame[-2:]:
                received = received[1:]  # not where a frame begins
                continue
            received = received[REQUEST_BYTES:]
            if frame[0] == self._unit:
                reply = self._answer(frame)
                uart.write(reply + checksum(reply))
        return received

    def _answer(self, frame):
        unit, function, address, count = struct.unpack(">BBHH", frame[:6])
        if function != READ_HOLDING:
            return struct.pack(">BBB", unit, function | 0x80, ILLEGAL_FUNCTION)
        held = self._registers[address : address + count]
        return struct.pack(f">BBB{count}H", unit, function, 2 * count, *held)

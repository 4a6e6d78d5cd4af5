#!/usr/bin/python3
"""A simulated PLC: Modbus TCP unit 1 on 127.0.0.1:PORT.

Holding registers: 0-1 temperature (float32, ABCD), 2 pressure (uint16, 0.01 bar), 3-4 pieces (uint32), 10-11 setpoint (float32,
writable). The temperature moves slowly towards the setpoint.
"""
import asyncio
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncTcpServer

HOLDING = 3


def registers(value, form):
    packed = struct.pack(">" + form, value)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


async def work(unit):
    temperature, pieces = 20.0, 0
    unit.setValues(HOLDING, 10, registers(21.5, "f"))
    while True:
        setpoint = struct.unpack(">f", struct.pack(">2H", *unit.getValues(HOLDING, 10, 2)))[0]
        temperature += (setpoint - temperature) * 0.05
        pieces += 1
        unit.setValues(HOLDING, 0, registers(round(temperature, 3), "f"))
        unit.setValues(HOLDING, 2, [int(100 + pieces % 50)])
        unit.setValues(HOLDING, 3, registers(pieces, "I"))
        await asyncio.sleep(0.5)


async def main(port):
    unit = ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, [0] * 100), zero_mode=True)
    worker = asyncio.create_task(work(unit))
    await StartAsyncTcpServer(ModbusServerContext(slaves={1: unit}, single=False), address=("127.0.0.1", port))
    await worker


asyncio.run(main(int(sys.argv[1])))

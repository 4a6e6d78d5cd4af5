#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A Modbus server of pymodbus, told by its standard input what to do.

    modbus_server.py (--tcp PORT | --rtu DEVICE | --rtu-over-tcp PORT) UNITS

UNITS is JSON: {"1": {"holding": {"0": [1, 2, 3]}, "input": {}, "coil": {}, "discrete": {}}}; other addresses are
refused as illegal. Prints "ready", then answers each line of its input by one line:

    silent UNIT | answer UNIT          it stops answering (as if it were switched off), or answers again
    set UNIT TABLE ADDRESS VALUE...    changes what it holds
    get UNIT TABLE ADDRESS COUNT       prints what it holds
    remove UNIT TABLE ADDRESS          the address is illegal from now on
    requests UNIT                      prints how many requests for it came, answered or not
"""
import argparse
import asyncio
import collections
import json
import logging
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

TABLES = {"coil": "c", "discrete": "d", "holding": "h", "input": "i"}


def block(values):
    return ModbusSparseDataBlock({int(address): held for address, held in values.items()})


class Server:
    def __init__(self, arguments):
        self.silent = set()
        self.requests = collections.Counter()
        self.units = {
            int(unit): ModbusSlaveContext(
                di=block(tables.get("discrete", {})),
                co=block(tables.get("coil", {})),
                hr=block(tables.get("holding", {})),
                ir=block(tables.get("input", {})),
                zero_mode=True,
            )
            for unit, tables in json.loads(arguments.units).items()
        }
        common = {
            "context": ModbusServerContext(slaves=self.units, single=False),
            "ignore_missing_slaves": True,
            "response_manipulator": self.on_response,
        }
        if arguments.rtu:
            self.server = ModbusSerialServer(framer=ModbusRtuFramer, port=arguments.rtu, baudrate=9600, **common)
        else:
            self.server = ModbusTcpServer(
                framer=ModbusSocketFramer if arguments.tcp else ModbusRtuFramer,
                address=("127.0.0.1", arguments.tcp or arguments.rtu_over_tcp),
                allow_reuse_address=True,
                **common,
            )

    def on_response(self, response):
        self.requests[response.unit_id] += 1
        if response.unit_id in self.silent:
            response.should_respond = False
        return response, False

    def obey(self, words):
        what, unit = words[0], int(words[1])
        if what == "silent":
            self.silent.add(unit)
        elif what == "answer":
            self.silent.discard(unit)
        elif what == "requests":
            return str(self.requests[unit])
        else:
            values = self.units[unit].store[TABLES[words[2]]]
            address = int(words[3])
            if what == "set":
                values.setValues(address, [int(word) for word in words[4:]])
            elif what == "remove":
                del values.values[address]
            elif what == "get":
                return " ".join(str(int(held)) for held in values.getValues(address, int(words[4])))
            else:
                return "unknown: " + what
        return "ok"

    async def run(self):
        serving = asyncio.create_task(self.server.serve_forever())
        if isinstance(self.server, ModbusTcpServer):
            await self.server.serving
        else:
            await self.server.start()
        print("ready", flush=True)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            print(self.obey(line.decode().split()), flush=True)
        serving.cancel()


async def main():
    parser = argparse.ArgumentParser()
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--tcp", type=int)
    how.add_argument("--rtu")
    how.add_argument("--rtu-over-tcp", type=int)
    parser.add_argument("units")
    await Server(parser.parse_args()).run()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A link that breaks: passes TCP connections on to a broker, and cuts them where it is told to, in the middle of a packet.

Arguments: PORT TARGET. Prints "listening", then "cut" for each connection that it cuts. Told by its standard input:

    now                      cuts all connections
    each LEAST MOST SEED     cuts each connection, from the next one on, after that many bytes from the client, drawn in between
    never                    cuts none from the next one on
"""
import asyncio
import random
import sys

connections = set()
plan = None  # draws the bytes that a connection has


def cut(writers):
    print("cut", flush=True)
    for writer in writers:
        writer.transport.abort()


async def pass_on(reader, writer, writers, left):
    """left: bytes until the cut, None for ever."""
    try:
        while data := await reader.read(65536):
            if left is not None and len(data) > left:
                writer.write(data[:left])
                await writer.drain()
                # What was written gets there, and nothing behind it.
                writer.close()
                cut(writers - {writer})
                return
            left = None if left is None else left - len(data)
            writer.write(data)
            await writer.drain()
        writer.close()
    except (ConnectionError, OSError):
        for other in writers:
            other.close()


async def serve(client_reader, client_writer, target):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        client_writer.transport.abort()
        return
    writers = frozenset({client_writer, writer})
    connections.add(writers)
    left = plan() if plan else None
    try:
        await asyncio.gather(pass_on(client_reader, writer, writers, left),
                             pass_on(reader, client_writer, writers, None))
    finally:
        connections.discard(writers)


def obey(words):
    global plan
    if words[0] == "now":
        for writers in list(connections):
            cut(writers)
    elif words[0] == "each":
        least, most, drawn = int(words[1]), int(words[2]), random.Random(int(words[3]))
        plan = lambda: drawn.randint(least, most)
    else:
        plan = None


async def main():
    port, target = int(sys.argv[1]), int(sys.argv[2])
    server = await asyncio.start_server(lambda r, w: serve(r, w, target), "127.0.0.1", port)
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    print("listening", flush=True)
    async with server:
        while line := await told.readline():
            obey(line.decode().split())
            print("obeyed", flush=True)


asyncio.run(main())

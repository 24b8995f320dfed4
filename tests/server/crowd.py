"""A crowd of strangers with sockets, in a process of its own; prints how each of them was let go.

Standard input says where: host, port, how many, and the signature of a handshake that the
crowd has overheard. Standard output tells kind by kind how many there were, how many were gone and
after how many seconds the last one was.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import monotonic
from typing import NamedTuple

PATIENCE_S = 20.0
AT_ONCE = 200
DRIP_S = 0.25
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"

Doors = asyncio.Semaphore


class Said(NamedTuple):
    """What a stranger says: at once, then drop by drop, and when it has been answered."""

    first: bytes = b""
    drops: bytes = b""
    then: bytes = b""
    then_drops: bytes = b""


class Gone(NamedTuple):
    """A stranger who was let go: whether at all, after how long, and what it was told."""

    kind: str
    gone: bool
    after_s: float
    told: bytes


def kinds(address: str, signature: str) -> dict[str, Said]:
    """Say what each kind of stranger says: the first at once, the rest byte by byte."""
    forged = f"X-Twilio-Signature: {'A' * 27}=\r\n".encode()
    signed = f"X-Twilio-Signature: {signature}\r\n".encode()
    host = f"Host: {address}\r\n".encode()
    post = b"POST /twilio/voice HTTP/1.1\r\n" + host + FORM + b"Content-Length: 400\r\n"
    shake = (
        b"GET /twilio/media HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + host
        + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    upgraded = shake + signed + b"\r\n"
    large = b"\x81\xff" + (70_000).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 70_000
    bad_start = frame(b'{"event":"start","start":{"callSid":"CA1","streamSid":"MZ1"}}')
    return {
        "silent": Said(),
        "half a head": Said(post),
        "a head by drops": Said(post[:4], post[4:]),
        "a TLS greeting": Said(b"\x16\x03\x01\x02\x00"),
        "a body by drops": Said(post + forged + b"\r\n", b"CallSid=CA1&From=%2B1555"),
        "a forged webhook": Said(post + forged + b"\r\n" + b"x" * 400),
        "a forged handshake": Said(shake + forged + b"\r\n"),
        "unsigned": Said(shake + b"\r\n"),
        "no start": Said(upgraded),
        "a start by drops": Said(upgraded, then_drops=bad_start),
        "a start of nobody": Said(upgraded, then=frame(b'{"event":"connected"}') + bad_start),
        "no JSON": Said(upgraded, then=frame(b"{")),
        "too large": Said(upgraded, then=large),
        "pings": Said(upgraded, then=b"\x89\x80\0\0\0\0" * 400),
    }


def frame(text: bytes) -> bytes:
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text.ljust(126)[:126]


async def stranger(kind: str, said: Said, where: tuple[str, int], doors: Doors) -> Gone:
    """Come, say something, and stay until it is sent away."""
    async with doors:
        reader, writer = await asyncio.open_connection(*where)
    told, gone, began = b"", True, monotonic()
    writer.write(said.first)
    dripping = asyncio.create_task(drip(writer, said.drops))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while piece := await reader.read(65536):
                if not told:
                    told = piece[:15]
                    writer.write(said.then)
                    dripping.cancel()
                    dripping = asyncio.create_task(drip(writer, said.then_drops))
    except ConnectionError:
        pass
    except TimeoutError:
        gone = False
    finally:
        dripping.cancel()
        writer.transport.abort()
    return Gone(kind, gone, monotonic() - began, told)


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    for byte in text:
        time_to = asyncio.Event()
        asyncio.get_running_loop().call_later(DRIP_S, time_to.set)
        await time_to.wait()
        writer.write(bytes([byte]))


async def crowd(host: str, port: int, size: int, signature: str) -> list[Gone]:
    """Send them all, as fast as they can come, and wait until the last one is gone."""
    doors, where = asyncio.Semaphore(AT_ONCE), (host, port)
    said = list(kinds(f"{host}:{port}", signature).items())
    coming = [stranger(*said[number % len(said)], where, doors) for number in range(size)]
    return list(await asyncio.gather(*coming))


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    found: dict[str, dict[str, object]] = {}
    for one in asyncio.run(crowd(**asked)):
        sums = found.setdefault(one.kind, {"came": 0, "gone": 0, "last_s": 0.0, "told": []})
        sums["came"] = int(str(sums["came"])) + 1
        sums["gone"] = int(str(sums["gone"])) + one.gone
        sums["last_s"] = max(float(str(sums["last_s"])), round(one.after_s, 2))
        told = one.told.split(b"\r")[0].decode("latin-1")
        if told not in (answers := list(sums["told"])):  # type: ignore[call-overload]
            sums["told"] = [*answers, told]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

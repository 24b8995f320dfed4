"""A proxy that does with a request what nginx would do by the directives of a page.

It knows what those directives mean that decide whether a bridge works behind it: which location a
path falls to, the version, host and headers with which the request is passed on, a path behind
``proxy_pass``. Unless it is told otherwise, nginx drops ``Upgrade`` and ``Connection``, and speaks
HTTP/1.0.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

READ_BYTES = 65536
CLIENT = "203.0.113.7"
"""Where every request is said to come from."""

_LOCATION = re.compile(r"location (= )?(\S+) \{(.*?)\}", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*(\w+)\s+([^;]+);", re.MULTILINE)


@dataclass
class Location:
    """What is done with the requests of a path."""

    exact: bool
    path: str
    passed_to: str = ""
    version: str = "1.0"
    answer: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def fits(self, path: str) -> bool:
        return path == self.path if self.exact else path.startswith(self.path)


def read_locations(text: str) -> list[Location]:
    """Read the locations of a configuration, in the order in which nginx tries them."""
    found = []
    for exact, path, body in _LOCATION.findall(text):
        location = Location(bool(exact), path)
        for name, value in _DIRECTIVE.findall(body):
            match name:
                case "proxy_pass":
                    location.passed_to = value
                case "proxy_http_version":
                    location.version = value
                case "proxy_set_header":
                    header, _, told = value.partition(" ")
                    location.headers[header.lower()] = told.strip().strip('"')
                case "return":
                    location.answer = value
        found.append(location)
    return sorted(found, key=lambda each: (not each.exact, -len(each.path)))


class Nginx:
    """Listens with a certificate and passes requests on, one to a connection."""

    def __init__(self, text: str) -> None:
        self.locations = read_locations(text)
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            await self._answer(head, reader, writer)
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one side has hung up, which ends the other
        finally:
            writer.close()

    async def _answer(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        path = head.split(" ")[1]
        location = next(each for each in self.locations if each.fits(path.partition("?")[0]))
        if location.answer:
            writer.write(_empty(location.answer))
            return
        scheme, _, rest = location.passed_to.partition("://")
        address, slash, replaced = rest.partition("/")
        assert scheme == "http"
        host, _, port = address.partition(":")
        try:
            inner = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.write(_empty("502"))
            return
        if slash:  # what the location names gives way to the path behind proxy_pass
            head = head.replace(path, f"/{replaced}{path.removeprefix(location.path)}", 1)
        inner[1].write(_passed_on(head, location, address))
        async with asyncio.TaskGroup() as pipes:
            pipes.create_task(_pipe(reader, inner[1]))
            pipes.create_task(_pipe(inner[0], writer))


def _passed_on(head: str, location: Location, address: str) -> bytes:
    """Write the head with which nginx asks the server behind it."""
    first, *lines = head.rstrip("\r\n").split("\r\n")
    told = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    host = told.get("host", "").partition(":")[0]
    variables = {
        "$host": host,
        "$http_upgrade": told.get("upgrade", ""),
        "$scheme": "https",
        "$remote_addr": CLIENT,
        "$proxy_add_x_forwarded_for": ", ".join(
            filter(None, (told.get("x-forwarded-for"), CLIENT))
        ),
    }
    kept = {name: value for name, value in told.items() if name not in {"upgrade", "keep-alive"}}
    ours = {name: variables.get(value, value) for name, value in location.headers.items()}
    sent = kept | {"host": address, "connection": "close"} | ours
    lines = [f"{name}: {value}" for name, value in sent.items() if value]
    request = first.rpartition(" ")[0] + f" HTTP/{location.version}"
    return ("\r\n".join([request, *lines]) + "\r\n\r\n").encode("latin-1")


def _empty(status: str) -> bytes:
    return f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def nginx(text: str, context: ssl.SSLContext) -> AsyncIterator[Nginx]:
    """Run a proxy by the directives of ``text``."""
    proxy = Nginx(text)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()

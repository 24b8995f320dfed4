"""An HTTP tool reaches nothing that its file does not allow, by whatever spelling of an address.

A real server listens on every loopback address there is and counts connections, and the resolver
leads every name home: a request that got through would be counted.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from http_service import Names, invoked, made, served
from yarl import URL

from voicebridge.errors import ConfigError, ToolFailed
from voicebridge.tools.addresses import may_dial
from voicebridge.tools.http import MAX_REDIRECTS, HttpCall, HttpSender
from voicebridge.tools.http_file import HttpToolFile

FILE = """
description: Look.
url: {url}
headers: {{X-Key: "${{env:KEY}}"}}
allow_http: true
"""
SECRETS = {"KEY": "s3cr3t-of-home"}

# {port} is where the counting server listens.
HOME = [
    # IPv4 in every notation
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://127.0.1:{port}/",
    "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0x7f.0.0.1:{port}/",
    "http://0x7f.1:{port}/", "http://017700000001:{port}/", "http://0177.0.0.1:{port}/",
    "http://0177.1:{port}/", "http://00000177.0x0.0.1:{port}/", "http://127.000.000.001:{port}/",
    "http://127.0.0.1.:{port}/", "http://127.255.255.254:{port}/", "http://127.0.0.2:{port}/",
    "http://0.0.0.0:{port}/", "http://0:{port}/", "http://0.1:{port}/", "http://00.0.0.0:{port}/",
    "http://0x0:{port}/",
    # IPv6, and IPv4 inside it
    "http://[::1]:{port}/", "http://[0:0:0:0:0:0:0:1]:{port}/", "http://[::]:{port}/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "http://[::ffff:0.0.0.0]:{port}/",
    "http://[::127.0.0.1]:{port}/", "http://[::7f00:1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/", "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/", "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/", "http://[2002:7f00:0001::7f00:1]:{port}/",
    "http://[2001:0:7f00:1::80ff:fffe]:{port}/", "http://[fe80::1%25lo]:{port}/",
    "http://[fe80::1]:{port}/", "http://[fc00::1]:{port}/", "http://[fd00:ec2::254]:{port}/",
    "http://[ff02::1]:{port}/", "http://[2001:db8::1]:{port}/",
    # private, shared, link-local, metadata, reserved
    "http://10.0.0.1:{port}/", "http://172.16.0.1:{port}/", "http://192.168.1.1:{port}/",
    "http://100.64.0.1:{port}/", "http://100.100.100.200:{port}/latest/meta-data/",
    "http://169.254.169.254:{port}/latest/meta-data/", "http://169.254.169.254/latest/",
    "http://2852039166/latest/", "http://0xA9FEA9FE/latest/", "http://[::ffff:a9fe:a9fe]/latest/",
    "http://192.0.0.192:{port}/", "http://198.18.0.1:{port}/", "http://203.0.113.1:{port}/",
    "http://224.0.0.1:{port}/", "http://240.0.0.1:{port}/", "http://255.255.255.255:{port}/",
    # names that lead home
    "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://localhost.:{port}/",
    "http://localhost.localdomain:{port}/", "http://ip6-localhost:{port}/",
    "http://127.0.0.1.nip.example:{port}/", "http://metadata.google.internal:{port}/",
    "http://home.example:{port}/", "http://mixed.example:{port}/", "http://mapped.example:{port}/",
    "http://kubernetes.default.svc:{port}/", "http://xn--g6h.example:{port}/",
    "https://home.example:{port}/", "https://127.0.0.1:{port}/",
]  # fmt: skip
NO_URL = [
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/", "ftp://a.example/",
    "http:///", "//127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "javascript:alert(1)",
    "http://user@127.0.0.1:{port}/", "http://good.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\\\@good.example/", "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/", "http://{{host}}:{port}/", "http://good.example:{{port}}/",
    "http://good.example:99999/", "http://good.example:0/", "http://[::1:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1", "http://good.example/\\t", "http://%31%32%37.0.0.1@x:{port}/",
    "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
]  # fmt: skip
LEAD_HOME = {
    "mixed.example": [["93.184.215.14", "127.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
}


class Counter:
    """Count every connection to a port, on IPv4 and, where the machine has it, on IPv6."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def took(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"home"')
        writer.close()


@asynccontextmanager
async def counting() -> AsyncIterator[Counter]:
    counter = Counter()
    first = await asyncio.start_server(counter.took, "0.0.0.0")
    counter.port = first.sockets[0].getsockname()[1]
    servers = [first]
    if socket.has_ipv6:
        with suppress(OSError):  # a machine may have none all the same
            servers.append(await asyncio.start_server(counter.took, "::1", counter.port))
    try:
        yield counter
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()


async def reach(folder: Path, url: str, counter: Counter, more: str = "") -> Exception | str:
    sender = HttpSender(Names(LEAD_HOME))
    try:
        text = FILE.format(url=json.dumps(url.replace("{port}", str(counter.port)))) + more
        return await invoked(made(folder, text, sender, SECRETS), "{}", sender)
    except (ConfigError, ToolFailed) as error:
        return error


def test_there_are_many_ways_home() -> None:
    assert len({*HOME}) == len(HOME) >= 60


@pytest.mark.parametrize("url", HOME)
async def test_no_spelling_of_an_address_reaches_home(tmp_path: Path, url: str) -> None:
    async with counting() as counter:
        outcome = await reach(tmp_path, url, counter)
        assert isinstance(outcome, ToolFailed), outcome
        assert counter.connections == 0


@pytest.mark.parametrize("url", NO_URL)
async def test_what_is_no_plain_web_address_is_refused_when_it_is_read(tmp_path, url) -> None:
    async with counting() as counter:
        outcome = await reach(tmp_path, url, counter)
        assert isinstance(outcome, ConfigError), outcome
        assert counter.connections == 0


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://home.example:{port}/",
     "http://[::ffff:127.0.0.1]:{port}/", "http://127.0.0.2:{port}/", "http://mapped.example:{port}/"],
)  # fmt: skip
async def test_the_same_addresses_are_reached_where_the_file_allows_it(tmp_path, url) -> None:
    async with counting() as counter:
        outcome = await reach(tmp_path, url, counter, "allow_private: true\n")
        assert outcome == '"home"'
        assert counter.connections == 1


@pytest.mark.parametrize(
    "url",
    ["http://0.0.0.0:{port}/", "http://0:{port}/", "http://0x0:{port}/", "http://[::]:{port}/",
     "http://169.254.169.254/latest/", "http://0xA9FEA9FE/latest/", "http://[::127.0.0.1]:{port}/",
     "http://[::ffff:a9fe:a9fe]/latest/", "http://[2002:7f00:1::]:{port}/",
     "http://[fd00:ec2::254]:{port}/", "http://[ff02::1]:{port}/", "http://224.0.0.1:{port}/"],
)  # fmt: skip
async def test_some_are_not_even_then(tmp_path: Path, url: str) -> None:
    async with counting() as counter:
        outcome = await reach(tmp_path, url, counter, "allow_private: true\n")
        assert isinstance(outcome, ToolFailed), outcome
        assert counter.connections == 0


# --- rebinding ----------------------------------------------------------------------------------


async def test_the_address_that_was_checked_is_the_one_that_is_dialled(tmp_path: Path) -> None:
    """A name that is public when it is looked up first and home afterwards gets nowhere."""
    reached: list[str] = []

    async def public(_request: web.Request) -> web.StreamResponse:
        reached.append("public")
        return web.json_response("public")

    def guard(address: str, *, private: bool = False) -> bool:
        """Take 127.0.0.2 for a public address: nothing outside this machine is dialled here."""
        return address == "127.0.0.2" or may_dial(address, private=private)

    async with served(public, "127.0.0.2") as port:
        home = await asyncio.start_server(lambda *_: reached.append("home"), "127.0.0.1", port)
        names = Names({"rebinding.example": [["127.0.0.2"], ["127.0.0.1"]]})
        sender = HttpSender(names, guard)
        text = FILE.format(url=f"http://rebinding.example:{port}/")
        tool = made(tmp_path, text, sender, SECRETS)
        async with home:
            assert await invoked(tool, "{}", sender) == '"public"'
            assert names.asked == ["rebinding.example"], "looked up once for one request"
            with pytest.raises(ToolFailed):
                await invoked(tool, "{}", sender)
    assert reached == ["public"]


# --- redirects ----------------------------------------------------------------------------------


class Redirects:
    """Redirect along a list of places, then answer."""

    def __init__(self, *places: str, status: int = 302) -> None:
        self.places, self.status = list(places), status
        self.asked: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        await request.read()
        if self.places:
            place = self.places.pop(0).replace("{port}", str(request.url.port))
            return web.Response(status=self.status, headers={"Location": place})
        return web.json_response("arrived")


async def follow(folder: Path, start: Redirects, more: str = "", url: str = "") -> Any:
    """Ask a server on a public stand-in; what else is dialled must be allowed like any other."""

    def guard(address: str, *, private: bool = False) -> bool:
        return address == "127.0.0.2" or may_dial(address, private=private)

    table = {name: [["127.0.0.2"]] for name in ("good.example", "other.example")}
    sender = HttpSender(Names(table), guard)
    async with served(start, "127.0.0.2") as port:
        text = FILE.format(url=url or f"http://good.example:{port}/start") + more
        return await invoked(
            made(folder, text.replace("{port}", str(port)), sender, SECRETS), "{}", sender
        )


@pytest.mark.parametrize(
    "place", ["/next", "next?x=1", "http://good.example:{port}/next", "?again"]
)
async def test_a_redirect_on_the_same_host_is_followed_with_the_secret(tmp_path, place) -> None:
    start = Redirects(place)
    assert await follow(tmp_path, start) == '"arrived"'
    assert [request.headers["X-Key"] for request in start.asked] == ["s3cr3t-of-home"] * 2


@pytest.mark.parametrize(
    "place",
    ["http://127.0.0.1:{port}/", "http://127.0.0.2:{port}/", "http://other.example:{port}/",
     "//other.example:{port}/", "http://good.example:22/", "http://good.example.:22/",
     "http://169.254.169.254/latest/", "http://[::1]:{port}/", "http://2130706433:{port}/",
     "http://good.example@other.example:{port}/", "http://other.example:{port}\\@good.example/",
     "file:///etc/passwd", "gopher://good.example:{port}/", "javascript:1", "http://[x/",
     "http://good.example:{port}@127.0.0.1/", "http://good.example.evil.example:{port}/"],
)  # fmt: skip
async def test_a_redirect_elsewhere_is_not_followed(tmp_path: Path, place: str) -> None:
    start = Redirects(place)
    with pytest.raises(ToolFailed, match="cannot be reached now"):
        await follow(tmp_path, start)
    assert len(start.asked) == 1


async def test_a_redirect_to_an_allowed_host_is_followed_without_the_secret(tmp_path) -> None:
    start = Redirects("http://other.example:{port}/there")
    more = 'allow_hosts: ["other.example:{port}"]\n'
    assert await follow(tmp_path, start, more) == '"arrived"'
    assert [request.headers.get("X-Key") for request in start.asked] == ["s3cr3t-of-home", None]
    assert start.asked[1].headers["Host"].startswith("other.example")


async def test_a_redirect_to_an_allowed_host_that_leads_home_is_not_followed(tmp_path) -> None:
    start = Redirects("http://home.example:{port}/")
    with pytest.raises(ToolFailed):
        await follow(tmp_path, start, 'allow_hosts: ["home.example:{port}"]\n')
    assert len(start.asked) == 1


async def test_redirects_come_to_an_end(tmp_path: Path) -> None:
    start = Redirects(*["/again"] * MAX_REDIRECTS)
    assert await follow(tmp_path, start) == '"arrived"'
    start = Redirects(*["/again"] * (MAX_REDIRECTS + 1))
    with structlog.testing.capture_logs() as logs, pytest.raises(ToolFailed):
        await follow(tmp_path, start)
    assert [log["reason"] for log in logs if "reason" in log] == ["too many redirects"]
    assert len(start.asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("status", "methods"),
    [(301, ["POST", "GET"]), (302, ["POST", "GET"]), (303, ["POST", "GET"]),
     (307, ["POST", "POST"]), (308, ["POST", "POST"])],
)  # fmt: skip
async def test_what_is_done_again_depends_on_the_redirect(tmp_path, status, methods) -> None:
    start = Redirects("/next", status=status)
    await follow(tmp_path, start, "method: POST\nbody: {a: 1}\n")
    assert [request.method for request in start.asked] == methods
    assert start.asked[-1].content_length in {0, None} if methods[-1] == "GET" else True


async def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    file = HttpToolFile(description="Look.", url="https://good.example/start")
    call = HttpCall("lookup", file, HttpSender(), {})
    for place in ("http://good.example/", "http://good.example:443/"):
        with pytest.raises(ToolFailed):
            call._redirected(URL(file.url), place)
    assert call._redirected(URL(file.url), "/next") == URL("https://good.example/next")

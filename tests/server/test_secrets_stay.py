"""Twelve secrets and fifty pieces of personal data go through a day of calls, and are not seen."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from html import escape, unescape
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import aiohttp
import pytest
from planted import NAMES, NUMBERS, PERSONAL, SAID, SECRETS, TYPED, Hit, hits
from secret_day import ALL_SAID, PLAYS, TalkativeModel, back_office, gathered
from serve_process import OURS, ROOT, START_WITHIN_S
from yarl import URL

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.signing import signature_header

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

CALLS, AT_ONCE = 120, 12
CALL_S = 3.0
LAST_CALLS = 5
ACCOUNT = "AC" + "0" * 32
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = SECRETS["TWILIO_AUTH_TOKEN"]

PERSONA = """\
name: Careless
instructions: |
  You speak with {{ params.customer }}, who calls from {{ caller.number }}.
params: {customer: somebody}
greeting: Good day.
tools: [%s]
destinations: {desk: "+15550100099"}
mcp_servers:
  - label: catalogue
    url: https://mcp.example/x
    tools: [search]
    authorization: "${env:CATALOGUE_TOKEN}"
keep: {transcript: %s}
"""
TOOLS = (
    "look_up look_up_soon say_no tell log_it in_a_thread leave crm calendar_find collect_digits "
    "transfer set_variable hang_up"
)
OURS_ALONE = ("look_up", "look_up_soon", "say_no", "tell", "log_it", "in_a_thread", "leave")
PLUGINS = [f"leaky_tools:{name}" for name in OURS_ALONE]
SETTINGS = """\
server: {shutdown_grace_s: 0, max_calls: 500}
records: {directory: %s}
default_persona: careless
tools: {plugins: [%s]}
limits: {calls_per_caller_per_minute: null, pending_sockets: 1000}
outbound:
  enabled: true
  caller_id: "+15550100002"
  opt_out_file: %s
  api_url: %s
  from_hour: 0
  until_hour: 24
  calls_per_minute: 1000
log: {level: debug, format: %s}
"""
ROUTING = """\
rules: [{name: discreet, params: {persona: discreet}, persona: discreet}]
"""
CRM = """\
description: Ask the customer base.
method: POST
url: %s/customers/{customer}
allow_http: true
allow_private: true
headers: {Authorization: "Bearer ${env:CRM_TOKEN}", X-Api-Key: "${env:CRM_KEY}"}
arguments:
  customer: {description: Who.}
  mail: {description: Where.}
query: {mail: "{mail}", caller: "{call.caller}"}
body: {mail: "{mail}"}
"""
CALENDAR = """\
url: %s/mcp
allow_http: true
headers: {Authorization: "Bearer ${env:CALENDAR_TOKEN}"}
tools: [find]
"""


def write_world(folder: Path, office_url: str, log_format: str) -> Path:
    """Write a configuration in which every kind of secret is used."""
    config = folder / log_format
    for name in ("personas", "tools", "mcp"):
        (config / name).mkdir(parents=True)
    records = json.dumps(str(config / "records"))
    files = {
        "voicebridge.yaml": SETTINGS
        % (
            records,
            ", ".join(PLUGINS),
            json.dumps(str(config / "never.txt")),
            office_url,
            log_format,
        ),
        "personas/careless.yaml": PERSONA % (", ".join(TOOLS.split()), "true"),
        "personas/discreet.yaml": PERSONA % (", ".join(TOOLS.split()), "false"),
        "routing.yaml": ROUTING,
        "tools/crm.yaml": CRM % office_url,
        "mcp/calendar.yaml": CALENDAR % office_url,
    }
    for name, text in files.items():
        (config / name).write_text(text, encoding="utf-8")
    return config


def environment(model_url: str, port: int) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    planted = {name: value for name, value in SECRETS.items() if name.isupper()}
    return {
        **inherited,
        **planted,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "VOICEBRIDGE_REALTIME_URL": model_url,
        "VOICEBRIDGE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONUNBUFFERED": "1",
    }


def free_port() -> int:
    """Find a port: the public address has to name it before the bridge listens there."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Day:
    """One bridge, the calls that it takes, and all that it lets be seen."""

    def __init__(self, url: str, seed: int) -> None:
        self.url, self._seed = url, seed
        self.answers: list[str] = []
        self.stream_tokens: list[str] = []
        self.card_calls: set[str] = set()

    async def happen(self) -> None:
        """Let all calls come, and the strangers among them."""
        calls = [partial(self._call, Random(self._seed * 1000 + number)) for number in range(CALLS)]
        strangers: list[Callable[[], object]] = [
            partial(self._stranger, Random(number)) for number in range(CALLS)
        ]
        await gathered([*calls, *strangers], AT_ONCE)

    async def _ask(self, path: str, form: dict[str, str], token: str | None = TOKEN) -> str:
        """Post a form; what the answer repeats of the question itself is the asker's own."""
        url = path if path.startswith("http") else self.url + path
        headers = {**FORM, **signature_header(token, url, form.items())}
        async with (
            asyncio.timeout(10),
            aiohttp.ClientSession() as http,
            http.post(URL(url, encoded=True), data=form, headers=headers) as response,
        ):
            text = f"{response.status} {dict(response.headers)} {await response.text()}"
        minted = re.findall(r'name="token" value="([^"]+)"', text)
        sent = [value for _, value in parse_qsl(url.partition("?")[2])]
        self.answers.append(_without(text, [*sent, *form.values(), *minted]))
        return text

    async def _call(self, chance: Random, begun: asyncio.Semaphore | None = None) -> None:
        name, number = chance.choice(NAMES), chance.choice(NUMBERS)
        persona = chance.choice(("careless", "discreet"))
        voice = f"/twilio/voice?hook_token={SECRETS['hook_token']}&customer={quote(name)}"
        async with RawStream(
            "ws" + self.url[4:] + "/twilio/media", auth_token=TOKEN, account_sid=ACCOUNT
        ) as raw:
            call_id = raw.writer.call_sid
            told = {"CallSid": call_id, "AccountSid": ACCOUNT, "From": number, "CallerName": name}
            twiml = await self._ask(voice + f"&persona={persona}", {**told, "To": "+15550100002"})
            token = re.search(r'name="token" value="([^"]+)"', twiml)
            after = re.search(r"<Redirect[^>]*>([^<]+)<", twiml)
            if token is None or after is None:
                return
            self.stream_tokens.append(token[1])
            # It is closed by the bridge, as some of this deserves.
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                if begun is None:
                    await self._speak(chance, raw, token[1])
                else:
                    await raw.begin(token=token[1])
                    begun.release()
                    await asyncio.wait_for(self._listen(raw), CALL_S)
        await self._ask(unescape(after[1]), told)
        status = {"CallStatus": "completed", "SequenceNumber": "2", "ErrorCode": "31920"}
        await self._ask("/twilio/status", {**told, **status})
        stream = {"StreamSid": "MZ1", "StreamEvent": "stream-error", "StreamError": "31951"}
        await self._ask("/twilio/stream-status", {**told, **stream})

    async def end(self, stop: Callable[[], None]) -> None:
        """Stop the bridge in the middle of some calls."""
        begun = asyncio.Semaphore(0)

        async def stay(number: int) -> None:
            with suppress(aiohttp.ClientError, ConnectionError):  # it may be gone by then
                await self._call(Random(number), begun)

        async with asyncio.TaskGroup() as tasks:
            for number in range(LAST_CALLS):
                tasks.create_task(stay(number))
            async with asyncio.timeout(10):
                for _ in range(LAST_CALLS):
                    await begun.acquire()
            stop()

    async def _speak(self, chance: Random, raw: RawStream, token: str) -> None:
        writer = raw.writer
        await raw.begin(token=token, customer=chance.choice(NAMES), note=chance.choice(SAID))
        await raw.send_silence(5)
        bad = (
            None,
            None,
            None,
            "{" + ALL_SAID,
            json.dumps({"event": ALL_SAID, "x": token}),
            json.dumps({"event": "dtmf", "dtmf": {"digit": chance.choice(NAMES)}}),
            json.dumps({"event": "media", "media": {"payload": ALL_SAID, "timestamp": token}}),
            writer.start({"token": token, "customer": ALL_SAID}),
            ALL_SAID.encode(),
        )[chance.randrange(9)]
        if bad is not None:
            await raw.send(bad)
        heard = await raw.read(CALL_S)
        while heard is not None and heard["event"] != "media":
            heard = await raw.read(CALL_S)
        for key in f"{TYPED}#":
            await raw.send(writer.dtmf(key))
        await raw.send_silence(5)
        await asyncio.wait_for(self._listen(raw), CALL_S * chance.random() / 4)

    async def _listen(self, raw: RawStream) -> None:
        while (heard := await raw.read(10)) is not None:
            if heard["event"] == "mark":
                await raw.send(raw.writer.mark(heard["mark"]["name"]))

    async def _stranger(self, chance: Random) -> None:
        """Come with a true secret in a wrong place."""
        secret, name = chance.choice(list(SECRETS.values())), chance.choice(NAMES)
        form = {"CallSid": "CA1", "From": chance.choice(NUMBERS), "CallerName": name}
        path = chance.choice(
            (
                f"/twilio/voice?token={quote(secret, safe='')}&x={quote(name)}",
                f"/twilio/{quote(secret, safe='')}",
                f"/twilio/status?a={quote(ALL_SAID)}",
                f"/calls?key={quote(secret, safe='')}",
                "/twilio/media",
            )
        )
        await self._ask(path, form, token=chance.choice((None, "another", secret)))
        token = chance.choice((secret, "x", SECRETS["VOICEBRIDGE_API_TOKEN"]))
        headers = {"Authorization": f"Bearer {token}"}
        wish: dict[str, Any] = {
            "to": chance.choice(NUMBERS),
            "persona": "careless",
            "consent": True,
        }
        wishes = (wish, wish | {"params": {"customer": name}}, {"to": name, "persona": secret})
        body = chance.choice((*map(json.dumps, wishes), ALL_SAID))
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.url + "/calls", data=body, headers=headers) as response,
        ):
            self.answers.append(_without(await response.text(), [secret, name, wish["to"]]))


def _without(text: str, sent: list[str]) -> str:
    """Leave out of an answer what the question has said."""
    for one in sorted(sent, key=len, reverse=True):
        for form in (one, quote_plus(one), escape(one), escape(quote_plus(one))):
            text = text.replace(form, "") if len(form) > 3 else text
    return text


@asynccontextmanager
async def bridge(
    config: Path, environ: dict[str, str], port: int
) -> AsyncIterator[tuple[str, Path, Callable[[], None]]]:
    """Serve, with all output in a file: yields address, file, and what tells it to stop."""
    said = config / "said.txt"
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicebridge", "serve", "--port", str(port)),
            *("--config", str(config)),
            stdout=out,
            stderr=out,
            env=environ,
            cwd=ROOT,
        )
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while not (found := re.search(r"listens on (http://[\d.:]+)", said.read_text())):
                assert process.returncode is None, said.read_text()
                await asyncio.wait([asyncio.create_task(process.wait())], timeout=0.1)
        yield found[1], said, partial(process.send_signal, signal.SIGTERM)
        async with asyncio.timeout(START_WITHIN_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def command(config: Path, environ: dict[str, str], *words: str) -> str:
    """Run a command; return all that it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicebridge", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environ,
        cwd=config,
    )
    async with asyncio.timeout(60):
        told, _ = await process.communicate()
    return told.decode()


def seen(text: str, *, secrets: list[str] | None = None, personal: bool = True) -> list[Hit]:
    """Look for all that is planted."""
    found = hits(text, SECRETS, secret=True)
    found += hits(text, {f"token {one}": one for one in secrets or ()}, secret=True)
    if personal:
        found += hits(text, {one: one for one in PERSONAL}, secret=False)
    return found


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_day_of_calls_gives_nothing_away(
    tmp_path: Path, log_format: str, record_property: Callable[[str, object], None]
) -> None:
    model = TalkativeModel()
    async with model.running() as model_url, back_office() as office_url:
        config = write_world(tmp_path, office_url, log_format)
        port = free_port()
        environ = environment(model_url, port)
        async with bridge(config, environ, port) as (url, said, stop):
            day = Day(url, seed=len(log_format))
            await day.happen()
            async with aiohttp.ClientSession() as http:
                for path in ("/healthz", "/readyz", "/metrics", "/status"):
                    async with http.get(url + path) as response:
                        day.answers.append(await response.text())
            await day.end(stop)
    log = said.read_text()
    kept = read_records(config / "records")
    record_property("calls", len(day.stream_tokens))
    record_property("lines", len(log.splitlines()))
    assert set(model.opened) == set(PLAYS), "not all was played"
    assert len(day.stream_tokens) > CALLS * 0.9
    for text in (log, "\n".join(day.answers)):
        assert seen(text, secrets=day.stream_tokens) == []
    assert len(kept) > CALLS / 2
    for name, text in kept.items():
        assert seen(text, secrets=day.stream_tokens, personal=False) == [], name
        assert hits(text, {"typed": TYPED}, secret=False) == [], name
    discreet = [text for text in kept.values() if '"persona": "discreet"' in text]
    words = {one: one for one in PERSONAL if one not in NUMBERS}  # the caller's stands there
    assert discreet
    assert [hits(text, words, secret=False) for text in discreet] == [[]] * len(discreet)


def read_records(folder: Path) -> dict[str, str]:
    """Read all that is kept of calls."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}

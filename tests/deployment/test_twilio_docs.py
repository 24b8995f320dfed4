"""The page on Twilio is walked from an empty folder to a call that is answered.

Each step is done as it is printed, by the shell, and the doctor is asked before and after it: the
lines that the page shows are not there before, and are there afterwards.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))

from doctor_world import CA, SID, TOKEN, TwilioRest, certificate, fronted, trust, twilio_rest
from model_harness import INSTANT, ToneVoice, says
from nginx_stand_in import nginx, read_locations
from twilio_walk import FILE, Shell, Step, read_steps, shell

from voicebridge.cli.doctor import Site, examine
from voicebridge.personas.loader import PersonaBook
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.scenario import CallerStep
from voicebridge.rehearsal.signing import signature_header
from voicebridge.server import paths
from voicebridge.server.running import load_switchboard, running_bridge
from voicebridge.settings import Security, Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "twilio.md").read_text("utf-8")
NGINX = re.findall(r"```nginx\n(.*?)```", (DOCS / "deployment.md").read_text("utf-8"), re.DOTALL)[0]
KEY, NEW_TOKEN, NUMBER, NUMBER_SID = "sk-newcomer", "the-secondary-token", "+15550100002", "PN1"
NAME, HERE = "bridge.example.com", "127.0.0.1:8080"


def served(*names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate(*names).configure_cert(context)
    return context


@dataclass
class Newcomer:
    """Who follows the page: a shell, an account, and what is their own."""

    shell: Shell
    rest: TwilioRest
    port: int
    front: int
    seen: list[str]

    async def follow(self, step: Step) -> None:
        """Do what a step says and ask the doctor before and after."""
        for line in step.lines:
            assert not any(_shows(found, line) for found in self.seen), f"{step.title}: {line}"
            if step.title[0].isdigit():
                mark_and_name = "✓  " + line[3:].split("  ")[0]
                assert not any(found.startswith(mark_and_name) for found in self.seen)
        for language, text in step.commands:
            if named := FILE.match(text):
                self.shell.write(named[1], self._own(text))
            else:
                assert language == "sh", f"{step.title}: a block that nobody does"
                await self.shell.do(self._filled(step, text))
        self.seen = await self.shell.doctor()
        for line in step.lines:
            assert any(_shows(found, line) for found in self.seen), "\n".join([line, *self.seen])

    def _own(self, text: str) -> str:
        """Make a file of this machine's: its port, and hours in which calls may be placed."""
        text = text.replace("enabled: true\n", "enabled: true\n  from_hour: 0\n  until_hour: 24\n")
        if "default_persona" in text:
            text += f"server: {{port: {self.port}, shutdown_grace_s: 0}}\n"
        return text

    def _filled(self, step: Step, text: str) -> str:
        token = NEW_TOKEN if "new auth token" in step.title else TOKEN
        for printed, own in {
            "TWILIO_ACCOUNT_SID=AC...": f"TWILIO_ACCOUNT_SID={SID}",
            "TWILIO_AUTH_TOKEN=...": f"TWILIO_AUTH_TOKEN={token}",
            "sk-...": KEY,
            "PN...": NUMBER_SID,
            "EH...": "EH1",
            ":8080/": f":{self.port}/",
        }.items():
            text = text.replace(printed, own)
        return text


def _shows(found: str, line: str) -> bool:
    """Tell whether a finding is the one that the page shows; an ellipsis stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, line.split("…"))), found) is not None


@asynccontextmanager
async def newcomer(folder: Path, port: int) -> AsyncIterator[Newcomer]:
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(twilio_rest())
        rest.country_codes = ["+1", "+49"]
        rest.numbers = [{"phone_number": NUMBER, "sid": NUMBER_SID, "voice_method": "POST",
                         "voice_url": "https://demo.twilio.com/welcome/voice/"}]  # fmt: skip
        model = RealtimeServer(says("Good day."), ToneVoice(), pace=INSTANT, api_key=KEY)
        await stack.enter_async_context(model)
        twilio = await stack.enter_async_context(
            fronted(certificate("api.twilio.com", "voice.twilio.com"))
        )
        twilio.bridge_port = int(rest.url.rpartition(":")[2])
        openai = await stack.enter_async_context(fronted(certificate("api.openai.com")))
        openai.bridge_port = int(model.url.split(":")[2].partition("/")[0])
        text = NGINX.replace(":8080", f":{port}")
        proxy = await stack.enter_async_context(nginx(text, served(NAME)))
        stand_ins = {
            NAME: proxy.port,
            "api.twilio.com": twilio.port,
            "voice.twilio.com": twilio.port,
            "api.openai.com": openai.port,
        }
        typed = await stack.enter_async_context(shell(folder, CA.cert_pem.bytes(), stand_ins, port))
        yield Newcomer(typed, rest, port, proxy.port, await typed.doctor())


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "openssl"))), reason="a shell's programs"
)
async def test_a_newcomer_who_does_what_the_page_says_has_an_agent_that_answers(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    steps = read_steps(PAGE)
    titles = [step.title for step in steps]
    rotation, calling = titles.index("A new auth token"), titles.index("Calling people")
    async with newcomer(folder, unused_tcp_port) as here:
        assert [line[0] for line in here.seen] == ["✗", "-"]
        for step in steps[:rotation]:
            await here.follow(step)
        assert [line for line in here.seen if line[0] != "✓"] == []
        await is_answered(here, monkeypatch)
        here.rest.tokens.add(NEW_TOKEN)
        await here.follow(steps[rotation])
        here.rest.tokens.remove(TOKEN)
        await here.follow(steps[rotation + 1])
        assert rotation + 2 == calling
        for step in steps[calling:]:
            await here.follow(step)
    assert [call["To"] for call in here.rest.placed] == ["+493012345678"] * 2
    assert here.rest.changed == 2  # by the two commands of the page, and by nobody else


async def is_answered(here: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the number by what the carrier has noted of it, through the proxy."""
    looked_up = asyncio.get_running_loop().getaddrinfo

    async def look_up(host: str, port: int, **more: Any) -> Any:
        return await looked_up(
            *(("127.0.0.1", here.front) if host == NAME else (host, port)), **more
        )

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trust())
    (number,) = here.rest.numbers
    carrier = SimulatedCarrier(number["voice_url"], auth_token=TOKEN, account_sid=SID)
    carrier.to_number = NUMBER
    caller = ScriptedCaller([(CallerStep(hang_up=True, after_agent_ms=200), None)])
    log = await carrier.place_call(caller, deadline_s=20)
    assert (log.errors, log.protocol_violations) == ([], [])
    assert ToneVoice().speak("Good day.").audio in bytes(log.heard_audio)


def test_every_block_of_the_page_is_done_by_that_walk() -> None:
    languages = re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)[::2]
    assert set(languages) <= {"sh", "text", "yaml"}
    done = sum(len(step.commands) for step in read_steps(PAGE))
    intro = 1  # the command `voicebridge doctor`, which the walk runs after every step
    assert done == languages.count("sh") + languages.count("yaml") - intro
    shown = [line for step in read_steps(PAGE) for line in step.lines]
    assert len(shown) >= 15


def settings_of(**changes: Any) -> Settings:
    """Make the settings of a bridge on a free port."""
    environ = {"TWILIO_AUTH_TOKEN": TOKEN, "OPENAI_API_KEY": KEY}
    settings = load_settings(DOCS.parent / "config", environ)
    server = settings.server.model_copy(update={"port": 0, "shutdown_grace_s": 0})
    return settings.model_copy(update={"server": server, **changes})


@pytest.fixture
async def behind(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Run a bridge behind the page's nginx, of which something may be left out."""
    async with AsyncExitStack() as stack:

        async def open_(text: str) -> dict[str, str]:
            # The bridge must know its public name before the proxy can know its port.
            proxy = await stack.enter_async_context(nginx(text, served("localhost")))
            settings = settings_of(public_url=f"https://localhost:{proxy.port}")
            switchboard = load_switchboard(settings)
            bridge = await stack.enter_async_context(running_bridge(switchboard))
            for location in proxy.locations:
                address = bridge.url.removeprefix("http://")
                location.passed_to = location.passed_to.replace(HERE, address)
            settings = settings.model_copy(update={"openai_api_key": None})
            personas = PersonaBook({"desk": switchboard.personas.default}, "desk")
            site = Site(settings=settings, personas=personas, trust=trust(),
                        twilio_api="http://127.0.0.1:1")  # fmt: skip
            found = await examine(replace(site, deadline_s=5.0), offline=False)
            return {each.what: each.mark for each in found}

        yield open_


async def test_the_nginx_of_the_page_on_deployment_passes_on_what_the_bridge_needs(
    behind: Any,
) -> None:
    marks = await behind(NGINX)
    assert [marks[what] for what in ("public URL", "TLS", "websocket", "signature")] == ["well"] * 4


def test_the_streams_of_every_process_of_a_bridge_fall_to_the_location_for_websockets() -> None:
    locations = read_locations(NGINX)
    for path in (paths.MEDIA_PATH, f"{paths.MEDIA_PATH}/0", f"{paths.MEDIA_PATH}/12"):
        first = next(each for each in locations if each.fits(path))
        assert first.headers["connection"] == "upgrade"


@pytest.mark.parametrize(
    ("line", "instead", "what"),
    [
        ("        proxy_set_header Upgrade $http_upgrade;\n", "", "websocket"),
        ('        proxy_set_header Connection "upgrade";\n', "", "websocket"),
        ("proxy_pass http://127.0.0.1:8080;", "proxy_pass http://127.0.0.1:8080/x/;", "signature"),
        ("location /twilio/ ", "location /other/ ", "public URL"),
    ],
)
async def test_the_doctor_misses_each_line_of_it(
    behind: Any, line: str, instead: str, what: str
) -> None:
    assert line in NGINX
    marks = await behind(NGINX.replace(line, instead))
    assert marks[what] == "wrong"


FORWARDED = re.findall(r"^ *proxy_set_header X-Forwarded.*\n", NGINX, re.MULTILINE)


@pytest.mark.parametrize(
    ("left_out", "status"), [((), 400), (FORWARDED, 403)], ids=["as is", "without"]
)
async def test_who_we_are_is_said_by_the_proxy_and_not_by_a_stranger(
    left_out: list[str], status: int
) -> None:
    text = NGINX
    for line in left_out:
        text = text.replace(line, "")
    assert len(FORWARDED) == 6
    settings = settings_of(public_url=None, security=Security(trusted_proxies=["127.0.0.1"]))
    url, form = "https://localhost/twilio/voice", {"From": "nobody"}
    headers = signature_header(TOKEN, url, form.items()) | {
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "http",
    }
    async with (
        running_bridge(load_switchboard(settings)) as bridge,
        nginx(text.replace(HERE, bridge.url.removeprefix("http://")), served("localhost")) as proxy,
        aiohttp.ClientSession() as http,
        http.post(f"https://localhost:{proxy.port}/twilio/voice", data=form, headers=headers,
                  ssl=trust()) as reply,
    ):  # fmt: skip
        # A request without a call is a bad one; one that is not signed for our name is refused.
        assert reply.status == status


def test_the_page_names_every_address_of_the_front_door_and_no_other() -> None:
    named = set(re.findall(r"/twilio/[a-z-]+", PAGE))
    there = {value for name, value in vars(paths).items() if name.endswith("_PATH")}
    assert named == there - {paths.CALLS_PATH}


def test_every_linked_page_is_there() -> None:
    for link, heading in re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", PAGE):
        text = (DOCS / link).read_text("utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert not heading or heading in [
            quote(each.lower().replace(" ", "-")) for each in headings
        ]

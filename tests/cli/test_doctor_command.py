"""The doctor finds what keeps calls from coming in, on real sockets, and says what to do."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))

from doctor_world import (
    NOW,
    SID,
    STRANGER,
    TOKEN,
    Front,
    TwilioRest,
    certificate,
    fronted,
    http_answer,
    trust,
    twilio_rest,
)
from model_harness import INSTANT, ToneVoice, says

from voicebridge.cli.doctor import Finding, Site, examine, local, run_doctor
from voicebridge.cli.doctor.examine import told
from voicebridge.cli.doctor.local import file_limit, records
from voicebridge.cli.main import main
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.persona import Fallback
from voicebridge.personas.routing import Routing
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.server.running import RunningBridge
from voicebridge.settings import Greetings, Outbound, Records, Settings

SHIPPED = Path(__file__).parents[2] / "config"
NUMBER = "+15550100002"


LOCAL = {"environment", "records", "file limit"}


@dataclass
class World:
    """Everything around a bridge; what is changed here is found by the next examination."""

    front: Front
    bridge: RunningBridge
    rest: TwilioRest
    model: RealtimeServer
    site: Site
    found: list[Finding] = field(default_factory=list)

    def settings(self, **changes: Any) -> None:
        settings = self.site.settings.model_copy(update=changes)
        self.site = replace(self.site, settings=settings)

    async def examine(self) -> None:
        self.found = await examine(self.site, offline=False)

    async def finding(self, what: str) -> tuple[str, str, str]:
        """Examine, and return mark, note and remedy of one finding."""
        await self.examine()
        finding = next(each for each in self.found if each.what == what)
        return finding.mark, finding.note, finding.remedy


OpenWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def world(
    start_bridge: Callable[..., Awaitable[RunningBridge]],
) -> AsyncIterator[OpenWorld]:
    async with AsyncExitStack() as stack:

        async def open_(leaf: Any = "good", **settings: Any) -> World:
            front = await stack.enter_async_context(
                fronted(certificate() if leaf == "good" else leaf)
            )
            rest = await stack.enter_async_context(twilio_rest())
            model = await stack.enter_async_context(
                RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT, api_key="test-key")
            )
            bridge = await start_bridge(model.url, public_url=front.url, **settings)
            front.bridge_port = int(bridge.url.rpartition(":")[2])
            rest.numbers = [leads(NUMBER, front.url + "/twilio/voice", **beside(front.url))]
            site = Site(
                settings=bridge.switchboard.settings.model_copy(
                    update={"twilio_account_sid": SID, "twilio_auth_token": SecretStr(TOKEN)}
                ),
                personas=PersonaBook(
                    {"front-desk": bridge.switchboard.personas.default}, "front-desk"
                ),
                trust=trust(),
                twilio_api=rest.url,
                twilio_voice_api=rest.url,
            )
            return World(front, bridge, rest, model, site)

        yield open_


def beside(url: str) -> dict[str, str]:
    return {
        "voice_fallback_url": "https://handler.twilio.com/twiml/EH1",
        "status_callback": url + "/twilio/status",
        "status_callback_method": "POST",
    }


def leads(number: str, url: str, **more: Any) -> dict[str, Any]:
    return {"phone_number": number, "voice_url": url, "voice_method": "POST", **more}


async def test_where_all_is_well_everything_is_said_to_be(world: OpenWorld) -> None:
    here = await world()
    await here.examine()
    assert [(each.what, each.mark) for each in here.found] == [
        (what, "well")
        for what in ("environment", "records", "file limit", "clock", "model", "public URL", "TLS",
                     "websocket", "signature", "account", "number", "fallback", "status")
    ]  # fmt: skip
    assert [each.remedy for each in here.found if each.remedy] == []
    assert len(here.bridge.switchboard.calls) == 0
    assert len(here.model.sessions) == 1
    assert here.rest.changed == 0


async def test_a_proxy_that_keeps_health_to_itself_is_reached_all_the_same(
    world: OpenWorld,
) -> None:
    here = await world()
    here.front.spoil = lambda request: request.replace(b"/healthz", b"/nothing")
    mark, note, _ = await here.finding("public URL")
    assert (mark, "kept inside" in note) == ("well", True)


@pytest.mark.parametrize(
    ("answer", "note", "remedy"),
    [
        ("404 Not Found", "something else answers", "let the proxy pass /twilio/ on"),
        ("200 OK", "something else answers", "let the proxy pass /twilio/ on"),
        ("301 Moved", "redirects to https://www.example.com", "the final address"),
    ],
)
async def test_a_proxy_that_leads_astray_is_told_by_every_check(
    world: OpenWorld, answer: str, note: str, remedy: str
) -> None:
    here = await world()
    here.front.answer = http_answer(answer, "x", "Location: https://www.example.com")
    await here.examine()
    for what in ("public URL", "websocket", "signature"):
        (finding,) = [each for each in here.found if each.what == what]
        assert finding.mark == "wrong"
        assert note in finding.note
        assert remedy in finding.remedy


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Unavailable", "504 Timeout"])
async def test_a_proxy_that_reaches_nobody_is_told_once(world: OpenWorld, status: str) -> None:
    here = await world()
    here.front.answer = http_answer(status, "x")
    mark, note, remedy = await here.finding("public URL")
    assert mark == "wrong"
    assert note == f"the proxy answers {status[:3]}: it does not reach the bridge"
    assert "start `voicebridge serve`" in remedy
    for what in ("websocket", "signature"):
        assert (await here.finding(what))[:2] == ("skipped", "see public URL")
    assert (await here.finding("TLS"))[0] == "well"


async def test_where_nobody_ever_answers_the_examination_ends_all_the_same(
    world: OpenWorld,
) -> None:
    here = await world()
    loop = asyncio.get_running_loop()
    silent = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    here.model.faults = Faults(session_updated="never")
    here.settings(public_url=f"http://{address}")
    here.site = replace(here.site, deadline_s=0.3, twilio_api=f"http://{address}")
    async with asyncio.timeout(20):
        await here.examine()
    silent.close()
    marks = {each.what: each.mark for each in here.found if each.what not in LOCAL}
    assert set(marks.values()) == {"wrong", "skipped"}
    for each in here.found:
        if each.mark == "wrong":
            assert each.remedy
            assert "0.3 s" in each.note or each.what == "TLS"


async def test_a_proxy_that_drops_the_upgrade_is_found_out(world: OpenWorld) -> None:
    here = await world()
    here.front.spoil = lambda request: request.replace(b"Upgrade: websocket\r\n", b"").replace(
        b"Connection: Upgrade\r\n", b""
    )
    mark, note, remedy = await here.finding("websocket")
    assert (mark, note) == ("wrong", "the proxy does not pass the upgrade on")
    assert "proxy_http_version 1.1" in remedy


async def test_a_proxy_that_changes_paths_breaks_the_signature(world: OpenWorld) -> None:
    here = await world()
    here.front.spoil = lambda request: request.replace(
        b"/twilio/voice HTTP", b"/twilio/voice?x=1 HTTP"
    )
    mark, _, remedy = await here.finding("signature")
    assert mark == "wrong"
    assert "pass paths on unchanged" in remedy


async def test_another_token_is_told_and_a_refusal_by_the_bridge_counts_as_reached(
    world: OpenWorld,
) -> None:
    here = await world()
    here.settings(twilio_auth_token=SecretStr("another-token"))
    mark, note, remedy = await here.finding("signature")
    assert (mark, note) == ("wrong", "the bridge refuses a request signed with the token")
    assert "another TWILIO_AUTH_TOKEN" in remedy
    assert (await here.finding("websocket"))[0] == "well"
    mark, note, remedy = await here.finding("account")
    assert (mark, note) == ("wrong", "Twilio refuses account and token with 401")
    assert "must be of one account" in remedy
    assert (await here.finding("number"))[:2] == ("skipped", "see account")
    assert not any("another-token" in f"{each}" for each in here.found)


async def test_while_a_token_is_replaced_the_bridge_must_accept_the_old_one_too(
    world: OpenWorld,
) -> None:
    here = await world()
    old = SecretStr("the-token-before")
    here.settings(twilio_auth_token_old=old)
    mark, note, remedy = await here.finding("signature")
    assert (mark, "signed with the old token" in note) == ("wrong", True)
    assert "restart it with TWILIO_AUTH_TOKEN_OLD" in remedy
    there = await world(twilio_auth_token_old=old)
    mark, note, remedy = await there.finding("signature")
    assert (mark, "those signed with the old one" in note) == ("doubtful", True)
    assert "without TWILIO_AUTH_TOKEN_OLD" in remedy


async def test_a_websocket_that_opens_and_leads_nowhere_is_found_out(world: OpenWorld) -> None:
    here = await world()
    here.front.spoil = lambda request: b"" if request[:1] == b"\x89" else request
    here.site = replace(here.site, deadline_s=0.5)
    mark, note, remedy = await here.finding("websocket")
    assert (mark, note) == ("wrong", "it opens, but nothing comes back through it")
    assert "pass websockets on" in remedy


async def test_a_bridge_whose_lines_are_busy_is_not_taken_for_one_that_is_down(
    world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await world()
    monkeypatch.setattr(here.bridge.switchboard, "_draining", True)
    mark, note, _ = await here.finding("websocket")
    assert (mark, note) == ("doubtful", "the bridge is reached; all its lines are busy now")


async def test_of_a_bridge_of_several_processes_the_stream_of_one_is_tried(
    world: OpenWorld,
) -> None:
    here = await world()
    asked: list[bytes] = []

    def note(request: bytes) -> bytes:
        asked.append(request)
        return request

    here.front.spoil = note
    server = here.site.settings.server.model_copy(update={"workers": 2})
    here.settings(server=server)
    await here.examine()
    assert [request for request in asked if request.startswith(b"GET /twilio/media/0 ")]
    assert not [request for request in asked if request.startswith(b"GET /twilio/media ")]


async def test_what_a_server_repeats_of_a_secret_is_not_shown(
    world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await world()
    settings = here.site.settings

    async def parrot(_site: Site, *, offline: bool) -> list[Finding]:
        keys = " and ".join(settings.secret_values())
        return [Finding("model", "wrong", f"HTTP 401: no such key: {keys}", "see")]

    command = sys.modules[examine.__module__]
    monkeypatch.setattr(command, "load_settings", lambda *_: settings)
    monkeypatch.setattr(command, "examine", parrot)
    out = io.StringIO()
    assert await asyncio.to_thread(run_doctor, SHIPPED, out, offline=False) == 1
    assert "no such key: *** and ***" in out.getvalue()
    assert len(settings.secret_values()) == 2


async def test_a_bridge_that_checks_nothing_is_told(world: OpenWorld) -> None:
    here = await world(auth_token=None)
    mark, note, remedy = await here.finding("signature")
    assert (mark, note) == ("wrong", "the bridge lets unsigned requests in")
    assert "without --insecure" in remedy


@pytest.mark.parametrize(
    ("leaf", "note", "remedy"),
    [
        (certificate(days=-2), "has expired", "renew it"),
        (certificate("other.example.com"), "is for another name", "VOICEBRIDGE_PUBLIC_URL"),
        (certificate(ca=STRANGER), "lacks its chain", "fullchain.pem"),
        (certificate(days=95, begun=NOW + timedelta(days=5)), "valid yet", "the clock"),
    ],
    ids=["expired", "another name", "a stranger's", "not yet"],
)
async def test_a_certificate_that_no_carrier_accepts_is_told_with_its_reason(
    world: OpenWorld, leaf: Any, note: str, remedy: str
) -> None:
    here = await world(leaf)
    mark, said, what_to_do = await here.finding("TLS")
    assert mark == "wrong"
    assert note in said
    assert remedy in what_to_do
    mark, said, what_to_do = await here.finding("public URL")
    assert (mark, what_to_do) == ("wrong", "see TLS")


async def test_a_certificate_that_ends_soon_is_doubtful(world: OpenWorld) -> None:
    mark, note, remedy = await (await world(certificate(days=9.5))).finding("TLS")
    assert mark == "doubtful"
    assert note.endswith("9 days")
    assert "renew it" in remedy


async def test_no_encryption_is_wrong(world: OpenWorld) -> None:
    mark, note, remedy = await (await world(None)).finding("TLS")
    assert mark == "wrong"
    assert "wss:// only" in note
    assert "docs/deployment.md" in remedy


async def test_a_port_that_speaks_no_tls_is_told(world: OpenWorld) -> None:
    here = await world(None)
    here.settings(public_url=here.front.url.replace("http:", "https:"))
    mark, note, remedy = await here.finding("TLS")
    assert (mark, "does not speak TLS" in note) == ("wrong", True)
    assert "hold a certificate" in remedy
    assert "does not speak TLS" in (await here.finding("public URL"))[1]


async def test_an_address_where_nobody_is_is_told(world: OpenWorld, unused_tcp_port: int) -> None:
    here = await world()
    here.settings(public_url=f"https://localhost:{unused_tcp_port}")
    mark, note, remedy = await here.finding("public URL")
    assert (mark, note) == ("wrong", f"nothing listens at localhost:{unused_tcp_port}")
    assert "open the port" in remedy
    for what in ("TLS", "websocket", "signature"):
        assert (await here.finding(what))[:2] == ("skipped", "see public URL")


async def test_a_name_that_is_unknown_is_told(world: OpenWorld) -> None:
    here = await world()
    here.settings(public_url="https://bridge.invalid")
    mark, note, remedy = await here.finding("public URL")
    assert (mark, note) == ("wrong", "the name bridge.invalid is not known here")
    assert "DNS record" in remedy


async def test_an_address_that_never_answers_is_given_up(world: OpenWorld) -> None:
    here = await world()
    here.front.spoil = lambda _request: b""
    here.site = replace(here.site, deadline_s=0.3)
    mark, note, remedy = await here.finding("public URL")
    assert (mark, "gave no answer within 0.3 s" in note) == ("wrong", True)
    assert "firewall" in remedy


@pytest.mark.parametrize(
    ("numbers", "note", "remedy"),
    [
        ([], f"{NUMBER} is not a number of this account", "front-desk.yaml"),
        (
            [leads(NUMBER, "https://u:p@old.example.com/voice?key=1")],
            "leads to https://old.example.com/voice",
            "POST https://",
        ),
        ([leads(NUMBER, "OURS", capabilities={"voice": False})], "takes no calls", "buy one"),
        ([leads(NUMBER, "")], "leads to nowhere", "set its voice webhook"),
        ([leads(NUMBER, "OURS", voice_method="GET")], "asks by GET", "POST https://localhost"),
        ([leads(NUMBER, "OURS", trunk_sid="TK1")], "led by a SIP trunk", "take it from there"),
        ([leads(NUMBER, "OURS", voice_application_sid="AP1")], "a TwiML app", "take it from there"),
    ],
)
async def test_a_number_that_leads_elsewhere_is_told(
    world: OpenWorld, numbers: list[dict[str, Any]], note: str, remedy: str
) -> None:
    here = await world()
    ours = here.front.url + "/twilio/voice"
    here.rest.numbers = [
        {**each, "voice_url": each["voice_url"].replace("OURS", ours)} for each in numbers
    ]
    mark, said, what_to_do = await here.finding("number")
    assert mark == "wrong"
    assert note in said
    assert not {"u:p", "key=1"} & set(re.split(r"[/@?]", said))
    assert remedy in what_to_do


async def test_where_no_persona_lists_a_number_one_of_the_account_must_lead_here(
    world: OpenWorld,
) -> None:
    here = await world()
    nobody = here.site.personas.default.model_copy(update={"numbers": ()})
    here.site = replace(here.site, personas=PersonaBook({"desk": nobody}, "desk"))
    assert (await here.finding("number"))[1] == f"{NUMBER} leads here"
    here.rest.numbers = [leads("+15550100009", "https://old.example.com")]
    mark, note, remedy = await here.finding("number")
    assert (mark, note) == ("wrong", "none of the account's 1 leads here")
    assert "in Twilio's console" in remedy
    here.rest.numbers = []
    assert (await here.finding("number"))[:2] == ("wrong", "the account has none")


async def test_a_number_that_a_rule_routes_is_looked_at_too(world: OpenWorld) -> None:
    here = await world()
    rules = Routing.model_validate({"rules": [
        {"called": ["+15550100003", "+1555*"], "persona": "front-desk"}]})  # fmt: skip
    book = PersonaBook({"front-desk": here.site.personas.default}, "front-desk", routing=rules)
    here.site = replace(here.site, personas=book)
    mark, note, remedy = await here.finding("number")
    assert (mark, note) == ("wrong", "+15550100003 is not a number of this account")
    assert "routing.yaml" in remedy


@pytest.mark.parametrize(
    ("changes", "what", "note", "remedy"),
    [
        ({"voice_fallback_url": ""}, "fallback", f"callers of {NUMBER} hear an error",
         "voicebridge twiml fallback"),
        ({"voice_fallback_url": "OURS/twilio/voice"}, "fallback", "on the bridge itself",
         "TwiML Bin"),
        ({"status_callback": None}, "status", f"how calls to {NUMBER} went", "/twilio/status"),
        ({"status_callback_method": "GET"}, "status", f"how calls to {NUMBER} went", "POST"),
    ],
)  # fmt: skip
async def test_what_a_number_does_besides_is_doubtful_if_it_does_not_help(
    world: OpenWorld, changes: dict[str, Any], what: str, note: str, remedy: str
) -> None:
    here = await world()
    for name, value in changes.items():
        here.rest.numbers[0][name] = value and value.replace("OURS", here.front.url)
    mark, said, what_to_do = await here.finding(what)
    assert mark == "doubtful"
    assert note in said
    assert remedy in what_to_do
    assert (await here.finding("number"))[0] == "well"


@pytest.mark.parametrize(
    ("account", "mark", "note"),
    [
        ({"type": "Trial"}, "doubtful", "verified numbers only"),
        ({"status": "suspended"}, "wrong", "it is suspended"),
    ],
)
async def test_an_account_that_is_not_a_full_one_is_told(
    world: OpenWorld, account: dict[str, str], mark: str, note: str
) -> None:
    here = await world()
    here.rest.account |= account
    found, said, remedy = await here.finding("account")
    assert (found, note in said) == (mark, True)
    assert "console" in remedy
    assert (await here.finding("number"))[0] == ("well" if mark == "doubtful" else "skipped")


async def test_people_whom_the_account_may_not_call_are_told(world: OpenWorld) -> None:
    here = await world()
    desk = here.site.personas.default.model_copy(
        update={"destinations": {"the lab": "+493012345678"},
                "fallback": Fallback(number="+15550100055")}
    )  # fmt: skip
    here.site = replace(here.site, personas=PersonaBook({"desk": desk}, "desk"))
    mark, note, remedy = await here.finding("destinations")
    assert (mark, note) == ("wrong", "the account may not call +493012345678 of desk.yaml")
    assert "Geo permissions" in remedy
    here.rest.country_codes = ["+49", "+1"]
    assert (await here.finding("destinations"))[:2] == ("well", "calls may go to +1, +49")
    here.rest.country_codes = [f"+{code}" for code in range(40, 50)] + ["+1"]
    assert (await here.finding("destinations"))[1].endswith("+45, +46 and 3 more")
    here.rest.country_codes = []
    assert (await here.finding("destinations"))[0] == "wrong"


async def test_where_calls_are_placed_the_number_they_show_must_be_ours_or_verified(
    world: OpenWorld, tmp_path: Path
) -> None:
    here = await world()
    wanted = Outbound(enabled=True, caller_id="+15550100088", opt_out_file=tmp_path / "opt-out.txt")
    here.settings(outbound=wanted)
    mark, note, remedy = await here.finding("caller id")
    assert (mark, "neither a number of the account nor verified" in note) == ("wrong", True)
    assert "outbound.caller_id" in remedy
    assert (await here.finding("environment"))[1].startswith("VOICEBRIDGE_API_TOKEN is not set")
    assert (await here.finding("destinations"))[0] == "well"
    here.rest.verified = ["+15550100088"]
    assert (await here.finding("caller id"))[:2] == ("well", "+15550100088 is verified")
    here.settings(outbound=wanted.model_copy(update={"caller_id": NUMBER}))
    assert (await here.finding("caller id"))[1] == f"{NUMBER} is a number of the account"


async def test_a_webhook_with_parameters_leads_here_too(world: OpenWorld) -> None:
    here = await world()
    here.rest.numbers = [leads(NUMBER, here.front.url + "/twilio/voice?tenant=acme")]
    assert (await here.finding("number"))[0] == "well"


async def test_a_carrier_in_trouble_is_told(world: OpenWorld) -> None:
    here = await world()
    here.rest.status = 503
    assert (await here.finding("account"))[:2] == ("wrong", "Twilio answers 503")
    here.site = replace(here.site, twilio_api="http://twilio.invalid")
    mark, note, remedy = await here.finding("account")
    assert (mark, note) == ("wrong", "the name twilio.invalid is not known here")
    assert "outgoing connections" in remedy
    assert (await here.finding("clock"))[:2] == ("skipped", note)
    assert (await here.finding("number"))[:2] == ("skipped", "see account")


@pytest.mark.parametrize(
    ("ahead_s", "mark", "note"),
    [(120, "wrong", "behind"), (-120, "wrong", "ahead"), (12, "doubtful", "behind")],
)
async def test_a_clock_that_is_wrong_is_told(
    world: OpenWorld, ahead_s: float, mark: str, note: str
) -> None:
    here = await world()
    here.rest.ahead_s = ahead_s
    found, said, remedy = await here.finding("clock")
    assert found == mark
    assert said.endswith(f" s {note}")
    assert "timedatectl" in remedy


@pytest.mark.parametrize(
    ("faults", "note", "remedy"),
    [
        (Faults(refuse_status=401), "HTTP 401", "check OPENAI_API_KEY"),
        (Faults(session_updated="mismatch"), "audio format", "G.711 mu-law"),
        (Faults(session_updated="never"), "no session within 0.5 s", "realtime.url"),
    ],
    ids=["key", "format", "silence"],
)
async def test_a_model_that_cannot_be_used_is_told(
    world: OpenWorld, faults: Faults, note: str, remedy: str
) -> None:
    here = await world()
    here.model.faults = faults
    if faults.session_updated == "never":
        here.site = replace(here.site, deadline_s=0.5)
    mark, said, what_to_do = await here.finding("model")
    assert mark == "wrong"
    assert note in said
    assert remedy in what_to_do


async def test_what_is_not_set_is_told_first_and_the_rest_is_skipped(world: OpenWorld) -> None:
    here = await world()
    here.settings(public_url=None)
    mark, note, remedy = await here.finding("environment")
    assert (mark, note.split()[0]) == ("wrong", "VOICEBRIDGE_PUBLIC_URL")
    assert "https://" in remedy
    skipped = {each.what for each in here.found if each.mark == "skipped"}
    assert [each.mark for each in here.found if each.what == "account"] == ["well"]
    assert skipped == {"public URL", "TLS", "websocket", "signature", "number"}


def test_a_full_disk_and_a_folder_that_cannot_be_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(config_dir=tmp_path, records=Records(directory=tmp_path / "new" / "calls"))
    assert records(settings).mark in {"well", "doubtful"}
    usage = type("Usage", (), {"free": 50 << 20})
    monkeypatch.setattr("voicebridge.cli.doctor.local.shutil.disk_usage", lambda _: usage)
    found = records(settings)
    assert (found.mark, found.note.split(" in ")[0]) == ("wrong", "0.0 GiB free")
    assert "records.directory" in found.remedy
    (tmp_path / "new").write_text("a file, no folder")
    found = records(settings)
    assert (found.mark, "cannot be written to" in found.note) == ("wrong", True)


def test_other_folders_that_cannot_be_written_to_are_told_and_else_not_mentioned(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("a file, no folder")
    shut = Settings(
        config_dir=tmp_path,
        greetings=Greetings(directory=tmp_path / "file"),
        outbound=Outbound(opt_out_file=tmp_path / "file" / "opt-out.txt"),
    )
    told = [each for each in local.examined(shut) if each.what == "folders"]
    assert [(each.mark, each.remedy.rpartition(" ")[2]) for each in told] == [
        ("wrong", "greetings.directory"),
        ("wrong", "outbound.opt_out_file"),
    ]
    open_ = Settings(config_dir=tmp_path, greetings=Greetings(directory=tmp_path / "new"))
    assert [each for each in local.examined(open_) if each.what == "folders"] == []


def test_a_limit_of_files_below_what_the_calls_need_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(config_dir=tmp_path)
    limit = "voicebridge.cli.doctor.local.resource.getrlimit"
    monkeypatch.setattr(limit, lambda _: (256, 1024))
    found = file_limit(settings)
    assert (found.mark, found.note) == ("wrong", "256 open files; 100 calls need 500")
    assert "LimitNOFILE=500" in found.remedy
    monkeypatch.setattr(limit, lambda _: (500, 1024))
    assert file_limit(settings).mark == "well"


def test_offline_nothing_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr("aiohttp.ClientSession", refuse)
    out = io.StringIO()
    environ = {"TWILIO_AUTH_TOKEN": TOKEN, "VOICEBRIDGE_PUBLIC_URL": "https://bridge.invalid",
               "OPENAI_API_KEY": "test-key"}  # fmt: skip
    assert run_doctor(SHIPPED, out, offline=True, environ=environ) == 0
    lines = out.getvalue().splitlines()
    assert [line[0] for line in lines[:4]] == ["✓"] * 4
    assert lines[-1] == "Nothing of this keeps calls from coming in."
    assert TOKEN not in out.getvalue()


def test_a_configuration_that_cannot_be_used_is_told_and_the_rest_is_skipped(
    tmp_path: Path,
) -> None:
    (tmp_path / "voicebridge.yaml").write_text("{}")
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/front-desk.yaml").write_text("name: x\nvoce: y\n")
    out = io.StringIO()
    assert run_doctor(tmp_path, out, offline=True, environ={}) == 1
    first, second, third, *_ = out.getvalue().splitlines()
    assert first.startswith("✗  configuration  ")
    assert "instructions: this key is required" in first
    assert "front-desk.yaml:2: voce: unknown key" in second
    assert third.startswith("   → correct it; `voicebridge check")
    assert "-  all else" in out.getvalue()


def test_the_findings_are_aligned_with_their_remedies_below() -> None:
    findings = [Finding("TLS", "well", "it is right"), Finding("number", "wrong", "a\nb", "do c")]
    assert told(findings, io.StringIO()) == [
        "✓  TLS     it is right",
        "✗  number  a",
        "   b",
        "   → do c",
        "",
        "1 to put right.",
    ]
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert [line.split()[0] for line in told(findings, out)[:4]] == ["ok", "FAIL", "b", "->"]


def test_the_command_exits_with_one_where_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TWILIO_AUTH_TOKEN", "VOICEBRIDGE_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor", "--offline", "--config", str(SHIPPED)]) == 1
    printed = capsys.readouterr().out
    assert "TWILIO_AUTH_TOKEN is not set" in printed
    assert "VOICEBRIDGE_PUBLIC_URL is not set" in printed
    assert "2 to put right." in printed

"""``POST /calls`` and the machine that may answer: over sockets, with the carrier stood in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from server_office import CALLED, CALLER, Office

from voicebridge.cli.dial import ask
from voicebridge.errors import CarrierError, ConfigError
from voicebridge.outbound import dialler as dialling
from voicebridge.outbound.rest import NewCall, RestError
from voicebridge.server.keys import DIALLER
from voicebridge.server.outbound import dialler_for
from voicebridge.settings import Outbound, Settings, load_settings

OpenOffice = Callable[..., Awaitable[Office]]

API_TOKEN = "api-token"
PUBLIC = "https://bridge.example.com"
PERSON = "+493012345678"
WISH = {"to": PERSON, "persona": "front-desk", "consent": True}


class Carrier:
    """A carrier that notes what it is asked for, and may refuse."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []
        self.error: RestError | None = None

    async def create_call(self, call: NewCall) -> str:
        if self.error:
            raise self.error
        self.calls.append(call)
        return "CA" + "7" * 32

    async def hang_up(self, call_id: str) -> None:
        raise AssertionError("nobody hangs up here")

    async def close(self) -> None:
        return None


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    stand_in = Carrier()
    monkeypatch.setattr("voicebridge.server.outbound.TwilioRest", lambda *_: stand_in)
    return stand_in


def outbound(folder: Path, **changes: Any) -> dict[str, Any]:
    told = {
        "enabled": True,
        "caller_id": CALLED,
        "opt_out_file": folder / "opt-out.txt",
        "from_hour": 0,
        "until_hour": 24,
    }
    return {
        "outbound": Outbound.model_validate(told | changes),
        "api_token": SecretStr(API_TOKEN),
        "twilio_account_sid": "AC1",
        "public_url": PUBLIC,
    }


async def place(office: Office, wish: Any, token: str = API_TOKEN) -> tuple[int, dict[str, Any]]:
    return await ask(office.bridge.url + "/calls", token, wish)


async def test_a_call_is_placed_by_who_has_the_token(
    open_office: OpenOffice, tmp_path: Path, carrier: Carrier
) -> None:
    office = await open_office(**outbound(tmp_path))
    status, answer = await place(office, WISH | {"params": {"order": "7", "bridge.again": "9"}})
    assert (status, answer) == (201, {"call_id": "CA" + "7" * 32})
    (call,) = carrier.calls
    assert call.voice_url == f"{PUBLIC}/twilio/voice?order=7&bridge.persona=front-desk"
    assert (call.to, call.caller_id) == (PERSON, CALLED)
    assert (call.status_url, call.machine_url) == (
        f"{PUBLIC}/twilio/status",
        f"{PUBLIC}/twilio/amd",
    )


@pytest.mark.parametrize("token", ["", "wrong", API_TOKEN + "x", "ä"])
async def test_nobody_else_places_a_call(
    open_office: OpenOffice, tmp_path: Path, carrier: Carrier, token: str
) -> None:
    office = await open_office(**outbound(tmp_path))
    assert (await place(office, WISH, token))[0] == 401
    assert carrier.calls == []


async def test_unless_it_is_configured_there_are_no_calls(open_office: OpenOffice) -> None:
    office = await open_office()
    assert (await place(office, WISH))[0] == 401
    office = await open_office(api_token=SecretStr(API_TOKEN))
    assert (await place(office, WISH))[0] == 404


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"consent": False}, 403, "consent"),
        ({"consent": "yes"}, 400, "request"),
        ({"to": "12"}, 422, "number"),
        ({"persona": "nobody"}, 422, "persona"),
        ({"surprise": 1}, 400, "request"),
        ({"params": {"a": 1}}, 400, "request"),
    ],
    ids=str,
)
async def test_a_wish_that_is_not_granted_says_why(
    open_office: OpenOffice,
    tmp_path: Path,
    carrier: Carrier,
    changes: dict[str, Any],
    status: int,
    why: str,
) -> None:
    office = await open_office(**outbound(tmp_path))
    code, answer = await place(office, WISH | changes)
    assert (code, answer["error"]) == (status, why)
    assert carrier.calls == []


async def test_a_body_that_is_no_json_is_refused(
    open_office: OpenOffice, tmp_path: Path, carrier: Carrier
) -> None:
    office = await open_office(**outbound(tmp_path))
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(office.bridge.url + "/calls", data=b"{ no", headers=headers) as response,
    ):
        assert response.status == 400
        assert json.loads(await response.text())["error"] == "request"


@pytest.mark.parametrize(("status", "answered"), [(400, 502), (429, 503), (500, 503), (None, 503)])
async def test_a_carrier_that_refuses_is_told(
    open_office: OpenOffice, tmp_path: Path, carrier: Carrier, status: int | None, answered: int
) -> None:
    office = await open_office(**outbound(tmp_path))
    carrier.error = RestError("the carrier refused: so", status=status)
    code, answer = await place(office, WISH)
    assert (code, answer["error"]) == (answered, "carrier")


async def test_where_no_bridge_runs_the_command_says_so() -> None:
    with pytest.raises(CarrierError, match="does it run"):
        await ask("http://127.0.0.1:1/calls", API_TOKEN, WISH)


async def test_the_persona_that_was_asked_for_answers_and_the_person_is_the_caller(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    _, twiml = await office.post(
        "/twilio/voice?bridge.persona=night-line&order=7",
        CallSid="CA1",
        From=CALLED,
        To=CALLER,
        Direction="outbound-api",
    )
    token = twiml.split('name="token" value="')[1].split('"')[0]
    expected = office.bridge.switchboard.tokens.spend(token, "CA1")
    assert expected is not None
    assert (expected.persona, expected.caller, expected.called) == ("night-line", CALLER, CALLED)
    assert expected.params == {"order": "7"}


async def test_a_machine_gets_our_message_after_its_beep(open_office: OpenOffice) -> None:
    office = await open_office("Hello.", "Please call back.", outbound=Outbound(voicemail="Call."))
    async with office.call() as line:
        for _ in range(2):
            told = {"CallSid": line.call_id, "AnsweredBy": "machine_end_beep"}
            assert (await office.post("/twilio/amd", **told))[0] == 204
        await line.until_closed()
        assert (await office.ended(line))["ended"] == "voicemail"
        assert "<Hangup" in await office.after_stream(line)
    assert len(office.model.served[0].responses) == 2


@pytest.mark.parametrize(
    ("answered_by", "words"), [("machine_end_silence", None), ("fax", "Call.")]
)
async def test_without_words_a_machine_is_hung_up_on(
    open_office: OpenOffice, answered_by: str, words: str | None
) -> None:
    office = await open_office(outbound=Outbound(voicemail=words))
    async with office.call() as line:
        await office.post("/twilio/amd", CallSid=line.call_id, AnsweredBy=answered_by)
        await line.until_closed()
        assert (await office.ended(line))["ended"] == "voicemail"
    assert len(office.model.served[0].responses) == 1


@pytest.mark.parametrize("answered_by", ["human", "unknown", "machine_start", ""])
async def test_a_person_notices_nothing(open_office: OpenOffice, answered_by: str) -> None:
    office = await open_office(outbound=Outbound(voicemail="Call."))
    async with office.call() as line:
        await office.post("/twilio/amd", CallSid=line.call_id, AnsweredBy=answered_by)
        await office.ends_well(line)


async def test_of_a_call_that_is_not_here_who_took_it_is_only_noted(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    told = {"CallSid": "CA9", "AnsweredBy": "machine_end_beep"}
    assert (await office.post("/twilio/amd", **told))[0] == 204


def settings_without(root: Path, folder: Path, name: str) -> Settings:
    environ = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "t",
        "VOICEBRIDGE_API_TOKEN": API_TOKEN,
        "VOICEBRIDGE_PUBLIC_URL": PUBLIC,
    }
    environ.pop(name, None)
    settings = load_settings(root / "config", environ)
    return settings.model_copy(update={"outbound": outbound(folder)["outbound"]})


@pytest.mark.parametrize(
    "name",
    ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "VOICEBRIDGE_API_TOKEN", "VOICEBRIDGE_PUBLIC_URL"],
)
def test_what_is_missing_is_told_before_the_first_call(
    root: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be placed") as caught:
        dialler_for(settings_without(root, tmp_path, name))
    assert caught.value.key == name.replace("VOICEBRIDGE_PUBLIC_URL", "public_url")
    made = dialler_for(settings_without(root, tmp_path, ""))
    assert isinstance(made, dialling.Dialler)
    assert API_TOKEN not in repr(made)
    assert DIALLER is not None

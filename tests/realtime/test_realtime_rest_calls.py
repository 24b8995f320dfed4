"""REST against a server on loopback: keys, sessions, calls, and what failures tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voicebridge.realtime import (
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Client,
    ClientConfig,
    RealtimeProtocolError,
    RequestError,
    Session,
    TranscriptionSession,
    UnsupportedParameter,
    http_do,
    is_permanent,
)


@dataclass
class Rest:
    """A server that answers every request with ``reply`` and keeps what it was asked."""

    url: str = ""
    reply: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, dict(request.headers), body))
        if self.reply is None:
            return web.Response(status=self.status, headers=self.headers)
        if isinstance(self.reply, str):
            return web.Response(text=self.reply, status=self.status, headers=self.headers)
        return web.json_response(self.reply, status=self.status, headers=self.headers)


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    server = Rest()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


def client_of(rest: Rest, **config: Any) -> Client:
    return Client(ClientConfig(auth_token="sk-test", api_base_url=rest.url, **config))


ULAW = Session(
    model="gpt-realtime-2.1",
    audio=Audio(
        input=AudioInput(format="g711_ulaw"), output=AudioOutput(format="g711_ulaw", voice="alloy")
    ),
)


async def test_a_client_secret_is_made_for_a_session(rest: Rest) -> None:
    rest.reply = {
        "value": "ek_1",
        "expires_at": 1760000000,
        "session": {"type": "realtime", "id": "sess_1", "new": 1},
    }
    secret = await client_of(rest).create_client_secret(ULAW, expires_after_s=60)
    assert (secret.value, secret.expires_at) == ("ek_1", 1760000000)
    assert isinstance(secret.session, Session)
    assert secret.session.id == "sess_1"
    method, path, headers, body = rest.asked[0]
    assert (method, path) == ("POST", "/v1/realtime/client_secrets")
    assert headers["Authorization"] == "Bearer sk-test"
    assert body["expires_after"] == {"anchor": "created_at", "seconds": 60}
    assert body["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}


async def test_a_client_secret_for_a_transcription_or_for_any_session(rest: Rest) -> None:
    rest.reply = {"value": "ek_1"}
    await client_of(rest).create_client_secret(TranscriptionSession())
    await client_of(rest).create_client_secret()
    assert rest.asked[0][3]["session"] == {"type": "transcription"}
    assert rest.asked[1][3] == {"expires_after": {"anchor": "created_at", "seconds": 600}}


async def test_a_beta_session_is_made_ready(rest: Rest) -> None:
    rest.reply = {
        "id": "sess_1",
        "object": "realtime.session",
        "input_audio_format": "g711_ulaw",
        "modalities": ["audio", "text"],
        "client_secret": {"value": "ek_2", "expires_at": 5},
    }
    made = await client_of(rest, dialect="beta").create_session(ULAW)
    assert made.client_secret.value == "ek_2"
    assert (made.session.id, made.session.input_format) == ("sess_1", AudioFormat.G711_ULAW)
    _, path, headers, body = rest.asked[0]
    assert (path, headers["OpenAI-Beta"]) == ("/v1/realtime/sessions", "realtime=v1")
    assert body == {
        "model": "gpt-realtime-2.1",
        "voice": "alloy",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_ulaw",
    }


async def test_each_dialect_names_the_other_s_way(rest: Rest) -> None:
    with pytest.raises(UnsupportedParameter, match="create_client_secret"):
        await client_of(rest).create_session(ULAW)
    with pytest.raises(UnsupportedParameter, match="create_session"):
        await client_of(rest, dialect="beta").create_client_secret(ULAW)
    assert rest.asked == []


async def test_calls_are_accepted_rejected_referred_and_hung_up(rest: Rest) -> None:
    calls = client_of(rest).rest
    await calls.accept_call("rtc_1", ULAW)
    await calls.reject_call("rtc_1", status_code=486)
    await calls.reject_call("rtc_1")
    await calls.refer_call("rtc_1", "tel:+14155550123")
    await calls.hangup_call("rtc/../1")
    paths = [path for _, path, _, _ in rest.asked]
    assert [path.rpartition("/")[2] for path in paths] == [
        "accept", "reject", "reject", "refer", "hangup",
    ]  # fmt: skip
    assert paths[0] == "/v1/realtime/calls/rtc_1/accept"
    assert "%2F" in paths[4]
    bodies = [body for _, _, _, body in rest.asked]
    assert bodies[0]["type"] == "realtime"
    assert bodies[1:] == [
        {"status_code": 486},
        {"status_code": 603},
        {"target_uri": "tel:+14155550123"},
        None,
    ]


async def test_a_session_that_the_server_would_refuse_is_not_sent(rest: Rest) -> None:
    with pytest.raises(UnsupportedParameter, match=r"session\.temperature"):
        await client_of(rest).rest.accept_call("rtc_1", Session(temperature=1))
    assert rest.asked == []
    await client_of(rest, strict=False).rest.accept_call("rtc_1", Session(temperature=1))
    assert rest.asked[0][3]["temperature"] == 1


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (401, True), (408, False), (429, False), (500, False)]
)
async def test_a_refused_request_tells_everything(rest: Rest, status: int, permanent: bool) -> None:
    rest.status, rest.headers = status, {"x-request-id": "req_1", "Retry-After": "3"}
    rest.reply = {"error": {"message": "No.", "type": "t", "code": "some_code", "param": "p"}}
    with pytest.raises(RequestError) as caught:
        await http_do(f"{rest.url}/x")
    error = caught.value
    assert (error.status, error.code, error.param) == (status, "some_code", "p")
    assert (error.request_id, error.retry_after_s) == ("req_1", 3.0)
    assert is_permanent(error) is permanent
    assert f"HTTP {status}, some_code: No" in str(error)


async def test_a_status_without_advice_is_told_plainly(rest: Rest) -> None:
    rest.status = 418
    with pytest.raises(RequestError, match=r"HTTP 418$"):
        await http_do(f"{rest.url}/x")


@pytest.mark.parametrize("reply", [{"no": "value"}, [], "text", None])
async def test_a_reply_of_another_shape_is_malformed(rest: Rest, reply: Any) -> None:
    rest.reply = reply
    with pytest.raises(RealtimeProtocolError):
        await client_of(rest).create_client_secret()
    with pytest.raises(RealtimeProtocolError):
        await client_of(rest, dialect="beta").create_session(ULAW)


async def test_the_helper_takes_method_headers_and_session(rest: Rest) -> None:
    rest.reply = {"ok": True}
    async with aiohttp.ClientSession() as session:
        reply = await http_do(
            f"{rest.url}/models", method="GET", headers={"X-Mine": "1"}, session=session
        )
        again = await client_of(rest, http_session=session).rest.hangup_call("c")
        assert not session.closed
    assert (reply, again) == ({"ok": True}, None)
    method, path, headers, body = rest.asked[0]
    assert (method, path, headers["X-Mine"], body) == ("GET", "/v1/models", "1", None)
    assert "Content-Type" not in headers


async def test_no_reply_may_be_tried_again(rest: Rest) -> None:
    with pytest.raises(RequestError) as caught:
        await http_do("http://127.0.0.1:1/x")
    assert caught.value.status is None
    assert not is_permanent(caught.value)


async def test_a_slow_reply_ends_at_its_deadline(rest: Rest) -> None:
    with pytest.raises(RequestError, match="no reply within"):
        await http_do(f"{rest.url}/x", timeout_s=0.000001)


async def test_a_redirect_is_not_followed(rest: Rest) -> None:
    rest.status, rest.headers = 307, {"Location": f"{rest.url}/elsewhere"}
    with pytest.raises(RequestError) as caught:
        await http_do(f"{rest.url}/x", {"a": 1})
    assert caught.value.status == 307
    assert len(rest.asked) == 1

from __future__ import annotations

import asyncio
import json

import pytest
from model_harness import DEADLINE_S, INSTANT, ToneVoice, dialled, says
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.realtime_server import RealtimeServer

QUERY = "?model=gpt-realtime"
KEY = {"Authorization": "Bearer sk-right"}


def serving(**options: object) -> RealtimeServer:
    return RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT, **options)  # type: ignore[arg-type]


async def refusal(server: RealtimeServer, url: str, headers: dict[str, str]) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, additional_headers=headers):
            pass
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk-wrong"},
        {"Authorization": "sk-right"},
        {"api-key": "sk-right"},
    ],
)
async def test_without_the_right_key_the_handshake_is_refused(headers: dict[str, str]) -> None:
    async with serving(api_key="sk-right") as server:
        response = (await refusal(server, server.url + QUERY, headers)).response
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    error = json.loads(response.body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert set(error) == {"message", "type", "param", "code"}


async def test_with_the_right_key_the_session_is_created() -> None:
    async with serving(api_key="sk-right") as server, dialled(server, KEY) as client:
        created = await client.until("session.created")
    session = created["session"]
    assert session["model"] == "gpt-realtime"
    assert session["id"].startswith("sess_")
    assert session["object"] == "realtime.session"
    assert session["type"] == "realtime"
    pcm = {"type": "audio/pcm", "rate": 24_000}
    assert session["audio"]["input"] == {
        "format": pcm,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
            "idle_timeout_ms": None,
        },
        "transcription": None,
        "noise_reduction": None,
    }
    assert session["audio"]["output"] == {"format": pcm, "voice": "alloy", "speed": 1.0}


@pytest.mark.parametrize(
    ("address", "status"), [("/v1/realtime", 400), ("/v1/live?model=x", 404), ("/?model=x", 404)]
)
async def test_a_wrong_address_is_refused(address: str, status: int) -> None:
    async with serving() as server:
        base = server.url.removesuffix("/v1/realtime")
        assert (await refusal(server, base + address, {})).response.status_code == status


@pytest.mark.parametrize(
    ("status", "retry_after"), [(401, None), (429, "7"), (500, None), (503, "1")]
)
async def test_a_fault_refuses_the_handshake_with_its_status(
    status: int, retry_after: str | None
) -> None:
    seconds = int(retry_after) if retry_after else None
    async with serving(faults=Faults(refuse_status=status, retry_after_s=seconds)) as server:
        response = (await refusal(server, server.url + QUERY, {})).response
    assert response.status_code == status
    assert response.headers.get("Retry-After") == retry_after
    assert "error" in json.loads(response.body)


async def test_a_hanging_handshake_hangs_until_the_server_is_closed() -> None:
    server = serving(faults=Faults(hang_handshake=True))
    await server.start()
    dialling = asyncio.ensure_future(refusal(server, server.url + QUERY, {}))
    done, _ = await asyncio.wait([dialling], timeout=0.05)
    assert not done
    await server.close()
    async with asyncio.timeout(DEADLINE_S):
        assert (await dialling).response.status_code == 503


async def test_closing_the_server_ends_its_sessions_and_is_idempotent() -> None:
    server = serving()
    await server.start()
    async with dialled(server) as client:
        await client.until("session.created")
        await server.close()
        await server.close()
        async with asyncio.timeout(DEADLINE_S):
            await client.socket.wait_closed()
    log = server.sessions[0].log
    assert log.close_code == 1001
    assert log.closed_at is not None

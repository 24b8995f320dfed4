from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from model_harness import DEADLINE_S, INSTANT, Client, ToneVoice, conversing, dialled, says
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from voicebridge.audio.format import silence
from voicebridge.rehearsal import faults as fault_texts
from voicebridge.rehearsal import outbox, wire_ga
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.outbox import ClientTooSlowError, Outbox
from voicebridge.rehearsal.realtime_server import RealtimeServer


async def closed(client: Client) -> ConnectionClosed:
    try:
        while True:
            await client.read()
    except ConnectionClosed as error:
        return error


@pytest.mark.parametrize(
    ("mode", "input_format", "output_format"),
    [
        ("echo", {"type": "audio/pcmu"}, {"type": "audio/pcmu"}),
        ("mismatch", {"type": "audio/pcma"}, {"type": "audio/pcma"}),
        ("without_formats", None, None),
    ],
)
async def test_session_updated_can_lie_about_the_formats(
    mode: str, input_format: object, output_format: object
) -> None:
    faults = Faults(session_updated=mode)  # type: ignore[arg-type]
    async with conversing(says("Hello."), faults=faults) as (client, _):
        audio = (await client.configure())["session"]["audio"]
        assert audio["input"].get("format") == input_format
        assert audio["output"].get("format") == output_format
        assert audio["output"]["voice"] == "alloy"


async def test_session_updated_can_stay_out() -> None:
    async with conversing(says("Hello."), faults=Faults(session_updated="never")) as (client, _):
        await client.send("session.update", session={"type": "realtime"})
        await client.send("response.create")
        await client.until("response.done")
        assert "session.updated" not in client.types()


async def test_injected_texts_follow_the_event_they_are_tied_to_and_come_once() -> None:
    texts = (fault_texts.UNKNOWN_EVENT, fault_texts.ERROR_EVENT, fault_texts.MALFORMED_EVENT)
    faults = Faults(inject=texts, inject_after="response.created")
    async with conversing(says("One.", "Two."), faults=faults) as (client, _):
        for _ in range(2):
            await client.send("response.create")
            await client.until("response.done")
    after = client.types().index("response.created") + 1
    assert client.seen[after : after + 3] == [json.loads(text) for text in texts]
    assert client.types().count("weather.updated") == 1


async def test_malformed_json_can_be_injected() -> None:
    faults = Faults(inject=(fault_texts.MALFORMED_JSON,))
    async with conversing(says("One."), faults=faults) as (client, _):
        await client.configure()
        with pytest.raises(json.JSONDecodeError):
            await client.read()
        await client.send("response.create")
        await client.until("response.done")


@pytest.mark.parametrize("code", [None, 1011, 4000])
async def test_the_socket_drops_at_the_append_it_is_told(code: int | None) -> None:
    faults = Faults(drop_after_appends=3, drop_code=code)
    async with conversing(says("Hello."), faults=faults) as (client, server):
        await client.configure()
        await client.append(silence(3 * 160))
        error = await closed(client)
        assert isinstance(error, ConnectionClosedError)
        assert (error.rcvd.code if error.rcvd else None) == code
        log = server.sessions[0].log
    assert log.append_count == 3
    assert log.closed_at is not None


async def test_the_socket_drops_after_the_time_it_is_told() -> None:
    async with conversing(says("word " * 50), faults=Faults(drop_after_ms=1)) as (client, _):
        assert (await closed(client)).rcvd is None


async def test_the_session_can_be_slow_to_come() -> None:
    server = RealtimeServer(
        says("Hello."),
        ToneVoice(),
        pace=INSTANT,
        faults=Faults(created_delay_s=60.0),  # type: ignore[arg-type]
    )
    async with server, dialled(server) as client:
        reading = asyncio.ensure_future(client.read())
        done, _ = await asyncio.wait([reading], timeout=0.05)
        assert not done
        await server.close()
        with pytest.raises(ConnectionClosed):
            await reading


async def test_a_client_that_does_not_read_loses_its_session_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "LONGEST_QUEUE", 40)
    async with conversing(says("Hello.")) as (client, server):
        client.socket.transport.pause_reading()
        with suppress(ConnectionClosed):
            for _ in range(200):
                await client.send("conversation.item.retrieve", item_id="x" * 100_000)
        client.socket.transport.resume_reading()
        assert isinstance(await closed(client), ConnectionClosedError)
        async with dialled(server) as other:
            await other.until("session.created")


async def test_the_outbox_has_a_bound() -> None:
    box = Outbox(wire_ga, "", ())
    for _ in range(outbox.LONGEST_QUEUE):
        box.emit({"type": "x"})
    with pytest.raises(ClientTooSlowError):
        box.emit({"type": "x"})


class OpenSocket:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


async def test_the_outbox_has_room_again_when_it_was_written() -> None:
    box, socket = Outbox(wire_ga, "", ()), OpenSocket()
    await box.room()
    for _ in range(outbox.ROOM_QUEUE):
        box.emit({"type": "x"})
    waiting = asyncio.ensure_future(box.room())
    done, _ = await asyncio.wait([waiting], timeout=0.01)
    assert not done
    writing = asyncio.ensure_future(box.write_to(socket))  # type: ignore[arg-type]
    async with asyncio.timeout(DEADLINE_S):
        await waiting
    writing.cancel()
    assert socket.sent

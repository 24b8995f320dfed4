"""Whatever a media stream sends, at most its own call ends, and always with a reason."""

from __future__ import annotations

import base64
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import WSMsgType
from server_office import AUTH_TOKEN, Line, Office, get, wire

from voicebridge.rehearsal.raw_stream import RawStream

OpenOffice = Callable[..., Awaitable[Office]]

SILENT = base64.b64encode(b"\xff" * 160).decode()


def media(payload: Any = SILENT, timestamp: Any = "20") -> str:
    return json.dumps({"event": "media", "media": {"payload": payload, "timestamp": timestamp}})


def started(raw: RawStream, token: str = "", **changes: Any) -> str:
    message = json.loads(raw.writer.start({"token": token}))
    message["start"].update(changes)
    return json.dumps(message)


SHRUGGED_OFF = {
    "half a JSON object": ('{"event":"media","media":{"payl', "not JSON"),
    "an empty message": ("", "not JSON"),
    "JSON that is nested too deep": ("[" * 60_000, "not JSON"),
    "a number of many digits": ('{"event":' + "9" * 5000 + "}", "not JSON"),
    "a list": ("[1, 2]", "not a JSON object"),
    "bad base64": (media("not base64!"), "not base64"),
    "base64 without its padding": (media("AAAAA"), "not base64"),
    "a payload that is a number": (media(17), "media.payload is not a string"),
    "an empty payload": (media(""), "media.payload is empty"),
    "a payload beyond ASCII": (media("\ud800"), "not base64"),
    "a time before the start": (media(timestamp="-20"), "media.timestamp is not a number"),
    "a time that is a number": (media(timestamp=20), "media.timestamp is not a string"),
    "media without media": ('{"event":"media"}', "a media message without its media object"),
    "a mark without a name": ('{"event":"mark","mark":{}}', "mark.name is not a string"),
    "a key of no telephone": ('{"event":"dtmf","dtmf":{"digit":"12"}}', "dtmf.digit is not a key"),
    "an unknown event": ('{"event":"weather","sunny":true}', None),
    "no event at all": ("{}", None),
    "a mark that is not ours": ('{"event":"mark","mark":{"name":"x\\u0000"}}', None),
    "a second connected": (wire.CONNECTED, None),
}
"""Messages that cost nothing but themselves, and what the record says of them."""


@pytest.mark.parametrize("name", SHRUGGED_OFF)
async def test_a_bad_message_costs_nothing_but_itself(open_office: OpenOffice, name: str) -> None:
    message, problem = SHRUGGED_OFF[name]
    office = await open_office()
    async with office.call() as neighbour, office.call() as line:
        await line.raw.send(message)
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
        assert record["ended"] == "caller_hung_up"
        problems = [told["what"] for told in record["problems"]]
        assert len(problems) == (problem is not None)
        assert all(str(problem) in told for told in problems)
        assert bytes(line.sent).startswith(bytes(office.model.logs[1].appended))
        await office.ends_well(neighbour)
    await office.model.all_over()
    assert len(office.model.served) == 2


@pytest.mark.parametrize("spoilt", [{}, {"mediaFormat": {"encoding": "audio/x-l16"}}])
async def test_a_second_start_is_passed_over(
    open_office: OpenOffice, spoilt: dict[str, Any]
) -> None:
    office = await open_office()
    async with office.call() as neighbour, office.call() as line:
        await line.raw.send(started(line.raw, "another-token", **spoilt))
        await line.is_answered()
        await line.hang_up()
        assert (await office.ended(line))["ended"] == "caller_hung_up"
        await office.ends_well(neighbour)
    await office.model.all_over()
    assert len(office.model.served) == 2


async def send_200_bad_messages(line: Line) -> None:
    try:
        for _ in range(200):
            await line.raw.send("{ no json")
    except ConnectionError:
        return  # the bridge may have had enough before the last one


async def send_binary(line: Line) -> None:
    await line.raw.send(b"\x00\x01")


async def send_too_much(line: Line) -> None:
    await line.raw.send(media("A" * 64 * 1024))


async def send_no_utf8(line: Line) -> None:
    await line.raw._open_socket.send_frame(b"\xff\xfe", WSMsgType.TEXT)


async def stop_without_close(line: Line) -> None:
    await line.raw.send(line.raw.writer.stop())


async def close_without_stop(line: Line) -> None:
    await line.raw.close()


async def drop(line: Line) -> None:
    line.raw.drop()


async def reset(line: Line) -> None:
    at_once = struct.pack("ii", 1, 0)
    socket_ = line.raw._open_socket.get_extra_info("socket")
    socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    response = line.raw._open_socket._response
    assert response.connection is not None
    assert response.connection.transport is not None
    response.connection.transport.abort()


@dataclass(frozen=True)
class Fatal:
    """What ends a stream: the record's reason, its problem, the close code seen."""

    do: Callable[[Line], Awaitable[None]]
    ended: str
    problem: str | None
    close_code: int


FATAL = {
    "200 bad messages": Fatal(send_200_bad_messages, "carrier_fault", "not JSON", 1000),
    "a binary message": Fatal(send_binary, "carrier_fault", "a binary message", 1000),
    "more than 64 KiB": Fatal(send_too_much, "carrier_fault", "65", 1009),
    "text that is not UTF-8": Fatal(send_no_utf8, "carrier_fault", "UTF-8", 1007),
    "stop without close": Fatal(stop_without_close, "caller_hung_up", None, 1000),
    "close without stop": Fatal(close_without_stop, "carrier_lost", "without a stop", 1000),
    "a dropped socket": Fatal(drop, "carrier_lost", "without a stop", 1006),
    "a reset socket": Fatal(reset, "carrier_lost", "without a stop", 1006),
}
"""What a stream does not survive."""


@pytest.mark.parametrize("name", FATAL)
async def test_a_broken_stream_ends_its_own_call_with_a_reason(
    open_office: OpenOffice, name: str
) -> None:
    case = FATAL[name]
    office = await open_office()
    async with office.call() as neighbour, office.call() as line:
        await case.do(line)
        await line.until_closed()
        assert line.raw.close_code == case.close_code
        record = await office.ended(line)
        assert record["ended"] == case.ended
        problems = [told["what"] for told in record["problems"]]
        assert bool(problems) == (case.problem is not None)
        assert not problems or str(case.problem) in problems[-1]
        assert len(problems) <= 101
        twiml = await office.after_stream(line)
        assert ("<Connect>" in twiml) == (case.ended == "carrier_lost")
        assert ("<Say>" in twiml) == (case.ended == "carrier_fault")
        await office.ends_well(neighbour)
    await office.model.all_over()
    assert len(office.model.served) == 2


async def test_a_peer_that_never_answers_our_close_holds_nothing_for_long(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.bridge.call_runner.CLOSE_WITHIN_S", 0.1)
    office = await open_office()
    async with office.call() as neighbour, office.answered() as (raw, token, _):
        await raw.begin(token=token)
        await raw.send(raw.writer.stop())  # and nobody reads what the bridge says to that
        record = await office.shelf.record_of(raw.writer.call_sid)
        assert record["ended"] == "caller_hung_up"
        await office.ends_well(neighbour)
    await office.model.all_over()


async def before_start_media(raw: RawStream, token: str) -> None:
    await raw.send(wire.CONNECTED)
    await raw.send_silence()
    await raw.send(raw.writer.start({"token": token}))


async def before_start_stop(raw: RawStream, token: str) -> None:
    await raw.send(raw.writer.stop())


async def before_start_nothing(raw: RawStream, token: str) -> None:
    await raw.send(wire.CONNECTED)


async def before_start_connected_for_ever(raw: RawStream, token: str) -> None:
    for _ in range(50):
        await raw.send(wire.CONNECTED)


async def before_start_garbage(raw: RawStream, token: str) -> None:
    await raw.send("{ no json")


async def before_start_nesting(raw: RawStream, token: str) -> None:
    await raw.send("[" * 60_000)


async def before_start_binary(raw: RawStream, token: str) -> None:
    await raw.send(b"\x00")


async def before_start_too_much(raw: RawStream, token: str) -> None:
    await raw.send(" " * (64 * 1024 + 1))


async def before_start_half(raw: RawStream, token: str) -> None:
    await raw.send(started(raw, token, streamSid=None))


async def start_in_linear_pcm(raw: RawStream, token: str) -> None:
    wrong = {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}
    await raw.send(started(raw, token, mediaFormat=wrong))


async def start_at_16_khz(raw: RawStream, token: str) -> None:
    wrong = {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}
    await raw.send(started(raw, token, mediaFormat=wrong))


async def start_in_stereo(raw: RawStream, token: str) -> None:
    wrong = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2}
    await raw.send(started(raw, token, mediaFormat=wrong))


async def start_without_a_format(raw: RawStream, token: str) -> None:
    await raw.send(started(raw, token, mediaFormat=None))


async def start_with_a_list_of_parameters(raw: RawStream, token: str) -> None:
    await raw.send(started(raw, token, customParameters=[token]))


NEVER_BEGUN = (
    before_start_media,
    before_start_stop,
    before_start_nothing,
    before_start_connected_for_ever,
    before_start_garbage,
    before_start_nesting,
    before_start_binary,
    before_start_too_much,
    before_start_half,
    start_in_linear_pcm,
    start_at_16_khz,
    start_in_stereo,
    start_without_a_format,
    start_with_a_list_of_parameters,
)


@pytest.mark.parametrize(
    "begin_badly",
    [pytest.param(do, id=do.__name__) for do in NEVER_BEGUN],
)
async def test_a_stream_that_does_not_begin_as_it_must_is_closed_before_it_costs_anything(
    open_office: OpenOffice, begin_badly: Callable[[RawStream, str], Awaitable[None]]
) -> None:
    office = await open_office(start_timeout_s=0.3)
    async with office.call() as neighbour, office.answered() as (raw, token, _):
        await begin_badly(raw, token)
        assert await raw.read() is None
        assert raw.close_code in {1008, 1009}
        assert len(office.bridge.switchboard.calls) == 1
        assert not office.shelf.has(raw.writer.call_sid)
        assert len(office.model.served) == 1
        assert (await get(office.bridge.url + "/readyz"))[1]["calls"] == 1
        await office.ends_well(neighbour)
    await office.model.all_over()


@pytest.mark.parametrize("leave", [drop, close_without_stop], ids=["dropped", "closed"])
async def test_a_socket_that_leaves_before_its_start_is_forgotten(
    open_office: OpenOffice, leave: Callable[[Line], Awaitable[None]]
) -> None:
    office = await open_office()
    async with office.call() as neighbour, office.answered() as (raw, token, after_url):
        await raw.send(wire.CONNECTED)
        await leave(Line(raw, after_url))
        assert raw.close_code == 1000 or await raw.read() is None
        await office.ends_well(neighbour)
        async with RawStream(office.media_url, auth_token=AUTH_TOKEN) as again:
            again.writer.call_sid = raw.writer.call_sid
            await again.begin(token=token)  # which was not spent by the first
            assert (await again.read()) is not None
    await office.model.all_over()

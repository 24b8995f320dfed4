from __future__ import annotations

import aiohttp
import pytest
from phone_small_bridge import MediaLeg, SmallBridge, serving
from twilio.request_validator import RequestValidator

from voicebridge.rehearsal.raw_stream import RawStream


async def test_a_raw_stream_can_be_well_behaved() -> None:
    async def script(leg: MediaLeg) -> None:
        assert leg.start["start"]["customParameters"] == {"token": "x"}
        await leg.read_media(2)
        await leg.mark("m")
        await leg.read_to_the_end()

    async with (
        serving(SmallBridge(script=script)) as bridge,
        RawStream(bridge.media_url, auth_token="secret") as raw,
    ):
        await raw.begin(token="x")
        await raw.send_silence(2)
        message = await raw.read()
        assert message is not None
        assert message["mark"] == {"name": "m"}
    leg = bridge.legs[0]
    assert [media["media"]["timestamp"] for media in leg.of("media")] == ["0", "20"]
    signature = leg.request.headers["X-Twilio-Signature"]
    assert RequestValidator("secret").validate(bridge.media_url, {}, signature)


async def test_a_raw_stream_sends_anything_and_sees_the_close() -> None:
    async def script(leg: MediaLeg) -> None:
        assert (await leg.socket.receive()).data == "{ no json"
        assert (await leg.socket.receive()).data == b"\x00\x01"

    async with (
        serving(SmallBridge(script=script, close_code=1008)) as bridge,
        RawStream(bridge.media_url) as raw,
    ):
        await raw.begin()
        await raw.send("{ no json")
        await raw.send(b"\x00\x01")
        assert await raw.read() is None
        assert raw.close_code == 1008


async def test_a_dropped_connection_has_no_closing_handshake() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.read_to_the_end()

    async with serving(SmallBridge(script=script)) as bridge, RawStream(bridge.media_url) as raw:
        await raw.begin()
        await raw.send_silence()
        raw.drop()
        assert await raw.read() is None
        assert raw.close_code == 1006


async def test_a_refused_handshake_is_told() -> None:
    async with serving(SmallBridge()) as bridge:
        raw = RawStream(bridge.media_url.replace("/media", "/voice"))
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await raw.connect()
        assert raw.close_code is None
        await raw.close()


async def test_a_raw_stream_must_be_connected_first() -> None:
    with pytest.raises(RuntimeError, match="connect first"):
        await RawStream("ws://127.0.0.1:1/").send("x")

"""A warm transfer where several processes serve: whichever is asked, the one that knows answers."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path

import pytest
from model_harness import INSTANT, ToneVoice
from practice import COLLEAGUE, TRANSFER, FakeTwilio, environment, written
from serve_process import ServeProcess, serving
from server_office import AUTH_TOKEN, CALLED, CALLER, Line, post

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.signing import signature_header
from voicebridge.rehearsal.steps import AgentStep

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

CALLS = 4


async def ask(url: str, **form: str) -> str:
    """Ask as the carrier does, on a connection of its own: any process may get it."""
    header = signature_header(AUTH_TOKEN, url, form.items())
    status, answer = await post(url, list(form.items()), header)
    assert status in {200, 204}
    return answer


def found(pattern: str, document: str) -> str:
    match = re.search(pattern, document)
    assert match is not None, document
    return unescape(match[1])


async def transferred(serve: ServeProcess, twilio: FakeTwilio, number: int) -> None:
    """Place a call that is transferred, and see that both meet."""
    call_id = f"CA{number:032}"
    voice = serve.url + "/twilio/voice"
    answer = await ask(voice, CallSid=call_id, From=CALLER, To=CALLED, CallStatus="ringing")
    raw = RawStream(found('<Stream url="([^"]+)"', answer), auth_token=AUTH_TOKEN)
    raw.writer.call_sid = call_id
    async with raw, asyncio.TaskGroup() as tasks:
        line = Line(raw, found("<Redirect[^>]*>([^<]+)<", answer))
        listener = tasks.create_task(line.listen())
        await raw.begin(token=found('<Parameter name="token" value="([^"]+)"', answer))
        await line.until_heard()
        await line.is_answered()
        call = await twilio.until("create_call", number)
        for status in ("initiated", "ringing", "in-progress"):
            await ask(call["StatusCallback"], CallSid=COLLEAGUE, CallStatus=status)
        assert "tooth ache" in await ask(call["Url"], CallSid=COLLEAGUE)
        room = f">call-{call_id}</Conference>"
        assert room in await ask(call["Url"], CallSid=COLLEAGUE, Digits="1")
        await line.until_closed()
        assert room in await ask(line.after_url, CallSid=call_id, From=CALLER, To=CALLED)
        listener.cancel()


async def test_every_webhook_of_a_transfer_finds_the_process_of_its_call(tmp_path: Path) -> None:
    steps = (AgentStep(say="Hello."), TRANSFER, AgentStep(say="I connect you."))
    twilio = FakeTwilio(token=AUTH_TOKEN)
    async with (
        twilio.running(),
        RealtimeServer(Script(agent=steps), ToneVoice(), pace=INSTANT) as model,
        serving(
            written(tmp_path, twilio.url, sms_from=CALLED),
            "--workers",
            "3",
            environment=environment(model.url),
        ) as serve,
    ):
        for number in range(1, CALLS + 1):
            await transferred(serve, twilio, number)
    assert twilio.problems == []
    assert [one.what for one in twilio.asked] == ["create_call"] * CALLS

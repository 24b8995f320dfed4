"""Two thousand strangers at a real bridge: gone soon, at no cost, and a live call hears nothing."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from serve_process import ServeProcess, serving, write_config
from server_office import get, post
from stamped_call import Lateness, StampedModel, StampedPhone

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.signing import sign, signature_header

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

STRANGERS = 2000
TOKEN = "carrier-token"
CONTROL_BEATS = 150
GONE_WITHIN_S = 60.0
MOST_LATER_MS = 50.0
ON_THE_WAY = 100
"""Frames that may be under way when the call ends."""


@asynccontextmanager
async def on_the_phone(serve: ServeProcess, model: StampedModel) -> AsyncIterator[StampedPhone]:
    """Have a call that is spoken on in both directions."""
    media_url, url = "ws" + serve.url[4:] + "/twilio/media", serve.url + "/twilio/voice"
    async with RawStream(media_url, auth_token=TOKEN) as raw:
        form = [("CallSid", raw.writer.call_sid), ("From", "+15550100001"), ("To", "+15550100002")]
        status, twiml = await post(url, form, signature_header(TOKEN, url, form))
        assert status == 200
        found = re.search(r'name="token" value="([^"]+)"', twiml)
        assert found is not None
        phone = StampedPhone(raw)
        async with phone.calling(found[1]):
            async with asyncio.timeout(10):
                await model.speaking.wait()
            yield phone
        await raw.send(raw.writer.stop())


async def crowd(serve: ServeProcess) -> dict[str, dict[str, Any]]:
    """Let a crowd come in a process of its own, and tell how they were let go."""
    host, _, port = serve.url.removeprefix("http://").partition(":")
    signature = sign(TOKEN, "ws" + serve.url[4:] + "/twilio/media")
    asked = {"host": host, "port": int(port), "size": STRANGERS, "signature": signature}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("crowd.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(GONE_WITHIN_S):
            told, _ = await process.communicate(json.dumps(asked).encode() + b"\n")
    finally:
        if process.returncode is None:
            process.kill()
    found: dict[str, dict[str, Any]] = json.loads(told)
    return found


async def test_two_thousand_strangers_are_gone_soon_and_a_call_hears_nothing_of_them(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    config = write_config(tmp_path)
    # Room for all of them: so nobody is sent away sooner to make some.
    with (config / "voicebridge.yaml").open("a", encoding="utf-8") as file:
        file.write(f"limits: {{pending_sockets: {2 * STRANGERS}}}\n")
    model = StampedModel()
    async with model.running() as url:
        environment = {
            "TWILIO_AUTH_TOKEN": TOKEN,
            "OPENAI_API_KEY": "key",
            "VOICEBRIDGE_REALTIME_URL": url,
        }
        async with serving(config, environment=environment) as serve:
            async with on_the_phone(serve, model) as phone:
                alone = Lateness(phone, model)
                await phone.beats(CONTROL_BEATS)
                control = alone.figures()
                in_company = Lateness(phone, model)
                found = await crowd(serve)
                crowded = in_company.figures()
                _, health = await get(serve.url + "/healthz")
            serve.terminate()
            code, _, said = await serve.end()
    record_property("strangers", found)
    record_property("control", control)
    record_property("crowded", crowded)
    record_property("refused", health["refused"])

    assert {kind: one["gone"] for kind, one in found.items()} == {
        kind: one["came"] for kind, one in found.items()
    }
    assert sum(one["came"] for one in found.values()) == STRANGERS
    assert (code, model.sessions, len(serve.records())) == (0, 1, 1)
    assert "Traceback" not in said
    assert health["refused"] > 0
    is_whole(phone, model)
    for way in ("to model", "to phone"):
        own = crowded["phone's own"]["p99"]
        later = crowded[way]["p99"] - control[way]["p99"]
        assert later - own < MOST_LATER_MS, (control, crowded)


def is_whole(phone: StampedPhone, model: StampedModel) -> None:
    """Make sure that no frame is lost, twice there, in another place or altered."""
    for heard, run, sent in ((model.heard, 0, phone.sent), (phone.heard, 1, model.said)):
        assert (heard.repeated, heard.swapped, heard.altered) == (0, 0, 0)
        assert sent - heard.came[run] <= ON_THE_WAY

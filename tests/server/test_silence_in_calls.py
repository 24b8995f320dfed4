"""A caller who says nothing, over sockets: asked twice, told goodbye, and hung up on after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from server_office import AUTH_TOKEN, Office

from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier

OpenOffice = Callable[..., Awaitable[Office]]
GOODBYE = "Good bye then."


async def test_a_silent_caller_is_asked_twice_and_hears_the_goodbye_to_its_end(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office("Hello.", "Are you there?", "Hello?", GOODBYE, pace=8.0)
    book = office.bridge.switchboard.personas
    limits = book["front-desk"].limits.model_copy(update={"silence_s": 0.4})
    altered = book["front-desk"].model_copy(update={"limits": limits})
    monkeypatch.setitem(book._personas, "front-desk", altered)
    carrier = SimulatedCarrier(
        webhook_url=office.bridge.url + "/twilio/voice", auth_token=AUTH_TOKEN
    )
    phone = await carrier.place_call(ScriptedCaller([]), deadline_s=20)
    record = await office.shelf.record_of(phone.call_sid)
    assert (phone.ended_by, record["ended"], record["problems"]) == ("bridge", "silence", [])
    said = [spoken["text"] for spoken in record["spoken"]]
    assert said == ["Hello.", "Are you there?", "Hello?", GOODBYE]
    assert all(spoken["heard_ms"] == spoken["received_ms"] for spoken in record["spoken"])
    assert phone.lost_at_close == []
    goodbye = list(office.model.served[0].items.values())[-1]
    assert bytes(phone.heard_audio).rstrip(b"\xff").endswith(bytes(goodbye.audio).rstrip(b"\xff"))

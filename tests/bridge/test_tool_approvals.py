"""A realtime server that asks before it calls a tool by itself is answered, in a whole call."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from test_call_in_memory import InMemoryCall, ModelEnd

from voicebridge.bridge.session import approvals_of
from voicebridge.call.consent import ASK_FIRST
from voicebridge.call.tool_calls import NOT_APPROVED, ToolRules
from voicebridge.personas.hosted_mcp import HostedMcpServer
from voicebridge.personas.persona import Persona


def rules(**approvals: str) -> ToolRules:
    """The rules of a persona with these servers."""
    servers = [
        HostedMcpServer.model_validate(
            {"label": label, "url": "https://a.example/", "tools": ["order"], "approval": approval}
        )
        for label, approval in approvals.items()
    ]
    persona = Persona(name="Desk", instructions="Be brief.", mcp_servers=tuple(servers))
    return ToolRules(approvals=approvals_of(persona))


async def asked(model: ModelEnd, number: int, server: str) -> dict[str, Any]:
    """Have the server ask, and return its answer; a response is wanted after it."""
    request_id, response_id = f"mcpr_{number}" + "0" * 40, f"r{number}"
    item = {
        "type": "mcp_approval_request",
        "id": request_id,
        "server_label": server,
        "name": "order",
        "arguments": '{"article": 7}',
    }
    response = {"id": response_id, "status": "in_progress"}
    done = {"event_id": "e", "response_id": response_id, "output_index": 0, "item": item}
    await model.say({"type": "response.created", "event_id": "e", "response": response})
    await model.say({"type": "response.output_item.done", **done})
    await model.done(response_id)
    answer: dict[str, Any] = (await model.next("conversation.item.create"))["item"]
    assert (answer["type"], answer["approval_request_id"]) == ("mcp_approval_response", request_id)
    assert 0 < len(answer["id"]) <= 32
    await model.next("response.create")
    return answer


async def test_each_server_is_answered_by_the_personas_rule_and_the_record_has_it() -> None:
    approvals = rules(shop="ask", bank="never", club="always", news="unneeded")
    call = InMemoryCall(greeting=None, tools=approvals)
    running = asyncio.create_task(call.run())
    call.carrier.media()
    await call.model.open()
    first = await asked(call.model, 1, "shop")
    bank = await asked(call.model, 2, "bank")
    club = await asked(call.model, 3, "club")
    started = {"event_id": "e", "audio_start_ms": 0, "item_id": "u1"}
    stopped = {"event_id": "e", "audio_end_ms": 900, "item_id": "u1"}
    await call.model.say({"type": "input_audio_buffer.speech_started", **started})
    await call.model.say({"type": "input_audio_buffer.speech_stopped", **stopped})
    second = await asked(call.model, 4, "shop")
    call.carrier.incoming.put_nowait('{"event":"stop"}')
    await running
    assert [answer["approve"] for answer in (first, bank, club, second)] == [
        False,
        False,
        True,
        True,
    ]
    assert (first["reason"], bank["reason"]) == (ASK_FIRST, NOT_APPROVED)
    assert "reason" not in club
    assert [(tool.name, tool.ok) for tool in call.record.tools] == [
        ("shop.order", False),
        ("bank.order", False),
        ("club.order", True),
        ("shop.order", True),
    ]
    assert {tool.arguments for tool in call.record.tools} == {'{"article": 7}'}

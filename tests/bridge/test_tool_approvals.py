"""A realtime server that asks before it calls a tool by itself is answered on the wire."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.session import approvals_of, session_for
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.consent import ASK_FIRST
from voicebridge.call.tool_calls import ToolRules
from voicebridge.personas.hosted_mcp import HostedMcpServer
from voicebridge.personas.persona import Persona
from voicebridge.realtime import Client, ClientConfig

sys.path.insert(0, str(Path(__file__).parent))

from test_call_in_memory import WITHIN_S, ModelEnd

PHRASES = {"one_moment": b"\x01" * 160, "trouble": b"\x02" * 160}


def persona(**approvals: str) -> Persona:
    servers = [
        HostedMcpServer(
            label=label, url="https://mcp.example.com/", tools=("order",), approval=approval
        )
        for label, approval in approvals.items()
    ]
    return Persona(name="Desk", instructions="Be brief.", mcp_servers=tuple(servers))


SHOP = persona(shop="ask", bank="never", club="always", news="unneeded")


@asynccontextmanager
async def session() -> AsyncIterator[tuple[ModelLeg, ModelEnd]]:
    """Open a session with the persona's servers on a wire in memory."""
    end = ModelEnd()

    class Dialled(Client):
        def connect(self, **options: Any) -> Any:
            return super().connect(dialer=end, **options)

    client = Dialled(ClientConfig(auth_token="k"))
    asked = session_for(SHOP, (), server_answers=True)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        dialling = tasks.create_task(ModelLeg.dial(client, "m", asked, timeout_s=WITHIN_S))
        await end.open()
        leg = await dialling
        writing = tasks.create_task(leg.write())
        yield leg, end
        writing.cancel()
        await leg.close()


async def ask(end: ModelEnd, request_id: str, server: str) -> None:
    item = {
        "type": "mcp_approval_request",
        "id": request_id,
        "server_label": server,
        "name": "order",
        "arguments": "{}",
    }
    await end.say(
        {"type": "response.created", "event_id": "e", "response": {"id": "r1"}},
        {
            "type": "response.output_item.done",
            "event_id": "e",
            "response_id": "r1",
            "output_index": 0,
            "item": item,
        },
    )
    await end.done("r1")


async def answer_of(leg: ModelLeg, end: ModelEnd, call: Call, request_id: str) -> dict[str, Any]:
    """What the server is answered; a response is asked for as well, for it to go on."""
    done = False
    while not done:
        for event in await leg.read():
            assert not isinstance(event, Exception)
            done = isinstance(event, ev.ResponseDone)
            for command in call.handle(event, 0.0, 0):
                if isinstance(command, do.AnswerApproval | do.CreateResponse):
                    leg.send(command)
    item: dict[str, Any] = (await end.next("conversation.item.create"))["item"]
    await end.next("response.create")
    assert item["type"] == "mcp_approval_response"
    assert item["approval_request_id"] == request_id
    assert 0 < len(item["id"]) <= 32
    return item


async def test_each_server_is_answered_by_the_personas_rule() -> None:
    rules = ToolRules(approvals=approvals_of(SHOP))
    call = Call(CallConfig(greeting=None, phrases=PHRASES, tools=rules))
    call.handle(ev.StreamStarted(), 0.0, 0)
    call.handle(ev.ModelReady(), 0.0, 0)
    async with session() as (leg, end):
        needed = {tool["server_label"]: tool["require_approval"] for tool in end.session["tools"]}
        assert needed == {"shop": "always", "bank": "always", "club": "always", "news": "never"}
        answers = {}
        for number, server in enumerate(("shop", "bank", "club")):
            request_id = f"mcpr_{number}" + "0" * 40
            await ask(end, request_id, server)
            answers[server] = await answer_of(leg, end, call, request_id)
            call.floor.responses.stop()
    assert {server: answer["approve"] for server, answer in answers.items()} == {
        "shop": False,
        "bank": False,
        "club": True,
    }
    assert answers["shop"]["reason"] == ASK_FIRST
    assert "reason" not in answers["club"]

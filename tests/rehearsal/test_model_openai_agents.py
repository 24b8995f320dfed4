"""The realtime client of ``openai-agents``, by another hand, talks to the simulated server.

It sends a session of its own making, runs the tool and cuts its playback by itself: the server
must serve it as it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimeAudio,
    RealtimeAudioInterrupted,
    RealtimeError,
    RealtimeModelConfig,
    RealtimePlaybackTracker,
    RealtimeRawModelEvent,
    RealtimeRunner,
    RealtimeSession,
    RealtimeSessionEvent,
    RealtimeSessionModelSettings,
    RealtimeToolEnd,
)
from model_harness import DEADLINE_S, INSTANT, STALLED, WORD_MS, ToneVoice, tone

from voicebridge.audio.format import silence
from voicebridge.rehearsal.codecs import Codec
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep

KEY = "sk-test"
QUESTION = "Are you open on Saturday?"
ANSWER = "We open at 9:00 on that day and on every other day of the week."
SCRIPT = Script(
    agent=(
        AgentStep(say="Good morning."),
        AgentStep(call="opening_hours", arguments={"day": "saturday"}),
        AgentStep(say=ANSWER.replace("9:00", "{output.opens}")),
        AgentStep(say="Goodbye."),
    ),
    caller_lines=(QUESTION, "That will do."),
)
TELEPHONE: RealtimeSessionModelSettings = {
    "audio": {
        "input": {
            "format": "g711_ulaw",
            "turn_detection": {"type": "server_vad", "interrupt_response": True},
        },
        "output": {"format": "g711_ulaw", "voice": "marin"},
    }
}
ITS_OWN: RealtimeSessionModelSettings = {}


def opens(day: str) -> str:
    return json.dumps({"day": day, "opens": "9:00"})


@function_tool
def opening_hours(day: str) -> str:
    """Tell when the shop opens."""
    return opens(day)


@dataclass
class Talk:
    """A session of that client, read one event at a time; an error it reports fails the test."""

    session: RealtimeSession
    events: AsyncIterator[RealtimeSessionEvent]
    playback: RealtimePlaybackTracker
    seen: list[RealtimeSessionEvent] = field(default_factory=list)

    async def until(self, event_type: str) -> dict[str, Any]:
        """Read up to an event of the server and give it as it came."""
        async with asyncio.timeout(DEADLINE_S):
            while (event := wire(await self.read())).get("type") != event_type:
                pass
        return event

    async def read(self) -> RealtimeSessionEvent:
        event = await anext(self.events)
        assert not isinstance(event, RealtimeError), event.error
        self.seen.append(event)
        return event

    async def say(self, audio: bytes, piece: int = 160) -> None:
        for start in range(0, len(audio), piece):
            await self.session.send_audio(audio[start : start + piece])

    def audio_of(self, item_id: str) -> bytes:
        return b"".join(
            event.audio.data
            for event in self.seen
            if isinstance(event, RealtimeAudio) and event.item_id == item_id
        )

    def cut_items(self) -> list[str]:
        return [event.item_id for event in self.seen if isinstance(event, RealtimeAudioInterrupted)]


def wire(event: RealtimeSessionEvent) -> dict[str, Any]:
    """Give the server's event that this one stands for, if it is one."""
    if isinstance(event, RealtimeRawModelEvent) and event.data.type == "raw_server_event":
        data: dict[str, Any] = event.data.data
        return data
    return {}


@asynccontextmanager
async def talking(
    script: Script, settings: RealtimeSessionModelSettings, pace: float
) -> AsyncIterator[tuple[Talk, RealtimeServer]]:
    """Connect their client to a server with this script."""
    voice: Any = ToneVoice()
    agent = RealtimeAgent[None](
        name="desk", instructions="You are at the desk of a shop.", tools=[opening_hours]
    )
    playback = RealtimePlaybackTracker()
    async with RealtimeServer(script, voice, pace=pace, api_key=KEY) as server:
        config: RealtimeModelConfig = {
            "api_key": KEY,
            "url": f"{server.url}?model=gpt-realtime-2.1",
            "initial_model_settings": settings,
            "playback_tracker": playback,
        }
        async with (
            await RealtimeRunner(agent).run(model_config=config) as session,
            aclosing(aiter(session)) as events,  # type: ignore[type-var]
        ):
            yield Talk(session, events, playback), server


async def test_the_agents_client_calls_a_tool_and_is_interrupted_while_it_plays() -> None:
    async with talking(SCRIPT, TELEPHONE, INSTANT) as (talk, server):
        await talk.session.send_message("Hello?")
        greeting = (await talk.until("response.done"))["response"]["output"][0]["id"]
        assert talk.audio_of(greeting) == tone(WORD_MS) * 2

        await talk.say(silence(8 * 200) + tone(600) + silence(8 * 700))
        await talk.until("response.done")
        answer = (await talk.until("response.done"))["response"]["output"][0]
        assert answer["content"][0]["transcript"] == ANSWER
        assert talk.audio_of(answer["id"]) == tone(WORD_MS) * len(ANSWER.split())

        talk.playback.on_play_ms(answer["id"], 0, 500)
        await talk.say(silence(8 * 200) + tone(600))
        assert (await talk.until("conversation.item.truncated"))["audio_end_ms"] == 500
        retrieved = (await talk.until("conversation.item.retrieved"))["item"]
        assert retrieved["id"] == answer["id"]
        assert talk.cut_items()[-1] == answer["id"]

        await talk.say(silence(8 * 700))
        goodbye = (await talk.until("response.done"))["response"]["output"][0]
        assert goodbye["content"][0]["transcript"] == "Goodbye."

        log = server.sessions[0].log
    ran = [event.output for event in talk.seen if isinstance(event, RealtimeToolEnd)]
    assert ran == [call.output for call in log.tool_calls] == [opens("saturday")]
    assert [(cut.audio_end_ms, cut.accepted) for cut in log.truncates] == [(500, True)]
    assert [made.status for made in log.responses] == ["completed"] * 4
    assert log.errors_sent == []


async def test_the_agents_client_is_interrupted_in_mid_response_with_its_own_defaults() -> None:
    script = Script(agent=(AgentStep(say="word " * 50), AgentStep(say="Yes?")))
    pcm = Codec("audio/pcm")
    async with talking(script, ITS_OWN, STALLED) as (talk, server):
        await talk.session.send_message("Tell me a story.")
        item = (await talk.until("response.output_audio.delta"))["item_id"]
        talk.playback.on_play_ms(item, 0, 20)
        await talk.say(pcm.from_ulaw(silence(8 * 200) + tone(600)), piece=960)
        response = (await talk.until("response.done"))["response"]
        assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert (await talk.until("conversation.item.truncated"))["item_id"] == item
        await talk.say(pcm.from_ulaw(silence(8 * 1_000)), piece=960)
        next_item = (await talk.until("response.output_audio.delta"))["item_id"]
        assert talk.cut_items() == [item]
        assert next_item != item
        log = server.sessions[0].log
    assert [(cut.audio_end_ms, cut.accepted) for cut in log.truncates] == [(20, True)]
    assert [made.status for made in log.responses] == ["cancelled", "in_progress"]
    assert log.errors_sent == []

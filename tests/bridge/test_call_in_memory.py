"""A whole call in memory: two queues for the carrier, a scripted wire for the model, no clock.

The model's end speaks raw JSON written from the protocol page and knows nothing of our code.
"""

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.bridge.carrier_leg import CarrierLeg
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.reasons import EndReason
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Started
from voicebridge.errors import ConnectError, SessionMismatch
from voicebridge.realtime import (
    Audio,
    AudioInput,
    AudioOutput,
    Client,
    ClientConfig,
    MemoryTransport,
    MessageType,
    Session,
)
from voicebridge.records.record import CallRecord
from voicebridge.tools.context import CallContext
from voicebridge.tools.registry import ToolRegistry

WITHIN_S = 5.0
SECOND = bytes(range(250)) * 32
PHRASES = {"one_moment": b"\x01" * 160, "trouble": b"\x02" * 160}


class CarrierSocket:
    """The carrier's end: what a test puts in arrives, what the bridge sends can be awaited."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str | None] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.frame = 0

    async def receive(self) -> str | None:
        return await self.incoming.get()

    async def send(self, text: str) -> None:
        self.outgoing.put_nowait(json.loads(text))

    async def close(self) -> None:
        self.outgoing.put_nowait(None)

    def media(self, audio: bytes = b"\xff" * 160) -> None:
        payload = base64.b64encode(audio).decode()
        media = {"track": "inbound", "payload": payload, "timestamp": str(self.frame * 20)}
        self.frame += 1
        self.incoming.put_nowait(json.dumps({"event": "media", "media": media}))

    def echo(self, name: str) -> None:
        self.incoming.put_nowait(json.dumps({"event": "mark", "mark": {"name": name}}))

    async def next(self, event: str) -> dict[str, Any]:
        """The next message of a kind; what comes before it is passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self.outgoing.get()
                assert message is not None, f"closed before a {event}"
                if message["event"] == event:
                    return message


class ModelEnd:
    """The server's end of the wire."""

    def __init__(self) -> None:
        self.ours, self.theirs = MemoryTransport.pair()
        self.session: dict[str, Any] = {}
        self.appended = b""

    async def dial(self, url: str, headers: Any) -> MemoryTransport:
        return self.ours

    async def say(self, *events: dict[str, Any]) -> None:
        for event in events:
            await self.theirs.write_message(MessageType.TEXT, json.dumps(event))

    async def next(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            while True:
                _, data = await self.theirs.read_message()
                event: dict[str, Any] = json.loads(data)
                if event["type"] == "input_audio_buffer.append":
                    self.appended += base64.b64decode(event["audio"])
                if event["type"] == kind:
                    return event

    async def open(self, **changes: Any) -> None:
        await self.say(
            {"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}
        )
        self.session = (await self.next("session.update"))["session"]
        audio = changes.get("audio", self.session["audio"])
        await self.say(
            {"type": "session.updated", "event_id": "e", "session": self.session | {"audio": audio}}
        )

    async def speak(self, response: str, item: str, audio: bytes, words: str) -> None:
        common = {
            "event_id": "e",
            "response_id": response,
            "item_id": item,
            "output_index": 0,
            "content_index": 0,
        }
        await self.say(
            {
                "type": "response.created",
                "event_id": "e",
                "response": {"id": response, "status": "in_progress"},
            },
            {"type": "response.output_audio_transcript.delta", "delta": words, **common},
            {
                "type": "response.output_audio.delta",
                "delta": base64.b64encode(audio).decode(),
                **common,
            },
            {"type": "response.output_audio.done", **common},
        )

    async def done(self, response: str, status: str = "completed") -> None:
        await self.say(
            {
                "type": "response.done",
                "event_id": "e",
                "response": {"id": response, "status": status},
            }
        )

    async def call_tool(self, response: str, name: str, arguments: str, call_id: str) -> None:
        item = {
            "type": "function_call",
            "id": f"i-{call_id}",
            "name": name,
            "call_id": call_id,
            "arguments": arguments,
            "status": "completed",
        }
        await self.say(
            {
                "type": "response.output_item.done",
                "event_id": "e",
                "response_id": response,
                "output_index": 1,
                "item": item,
            }
        )


class InMemoryCall:
    """A call between the two ends."""

    def __init__(self, greeting: str | None = "Say hello.", **config: Any) -> None:
        self.carrier, self.model = CarrierSocket(), ModelEnd()
        self.record = CallRecord("CA1", "p", "+1", "+2", datetime.now(UTC))
        client = Client(ClientConfig(auth_token="k"))
        session = Session(
            audio=Audio(
                input=AudioInput(format="g711_ulaw"), output=AudioOutput(format="g711_ulaw")
            )
        )
        context = CallContext("CA1", "+1", "+2", "p", hang_up=lambda reason: None)
        tools = {tool.name: tool for tool in ToolRegistry.with_builtins().for_persona(["hang_up"])}

        class Dialled(Client):
            def connect(inner, **options: Any) -> Any:  # noqa: N805
                return super().connect(dialer=self.model, **options)

        self.runner = CallRunner(
            Call(CallConfig(greeting=greeting, phrases=PHRASES, **config)),
            CarrierLeg(self.carrier, twilio, Started("MZ1", "CA1", "AC1", {})),
            lambda: ModelLeg.dial(Dialled(client.config), "m", session, timeout_s=WITHIN_S),
            self.record,
            lambda runner: ToolRunner(tools, context, runner.feed),
        )

    async def run(self) -> EndReason:
        async with asyncio.timeout(WITHIN_S * 4):
            return await self.runner.run()


async def test_a_call_is_greeted_interrupted_served_and_hung_up() -> None:
    call = InMemoryCall()
    carrier, model = call.carrier, call.model
    running = asyncio.create_task(call.run())
    carrier.media(b"\x01" * 160)  # before the session runs: kept, then forwarded
    await model.open()
    assert model.session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert (await model.next("response.create"))["response"]["instructions"] == "Say hello."

    await model.speak("r1", "a1", SECOND, "one two three four")
    await model.done("r1")
    opening = await carrier.next("mark")
    audio = b""
    while len(audio) < len(SECOND):
        audio += base64.b64decode((await carrier.next("media"))["media"]["payload"])
    assert audio == SECOND
    carrier.echo(opening["mark"]["name"])
    for frame in range(1, 11):
        carrier.media(b"\x02" * 160)
        if frame == 3:
            carrier.echo("0:1:480")
    while len(model.appended) < 11 * 160:
        await model.next("input_audio_buffer.append")
    assert model.appended == b"\x01" * 160 + b"\x02" * 1600

    await model.say(
        {
            "type": "input_audio_buffer.speech_started",
            "event_id": "e",
            "audio_start_ms": 0,
            "item_id": "u1",
        }
    )
    await carrier.next("clear")
    carrier.echo((await carrier.next("mark"))["mark"]["name"])
    cut = await model.next("conversation.item.truncate")
    assert (cut["item_id"], cut["content_index"], cut["audio_end_ms"]) == ("a1", 0, 200)

    await model.say(
        {
            "type": "input_audio_buffer.speech_stopped",
            "event_id": "e",
            "audio_end_ms": 900,
            "item_id": "u1",
        }
    )
    await model.speak("r2", "a2", SECOND[:800], "Goodbye.")
    await model.call_tool("r2", "hang_up", "{}", "c1")
    await model.done("r2")
    output = await model.next("conversation.item.create")
    assert output["item"]["type"] == "function_call_output"
    carrier.echo((await carrier.next("mark"))["mark"]["name"])
    for _ in range(2):
        for _ in range(3):
            carrier.media()
        carrier.echo((await carrier.next("mark"))["mark"]["name"])
    assert await running is EndReason.AGENT_HUNG_UP
    assert [(spoken.speaker, spoken.text, spoken.unheard) for spoken in call.record.in_order()] == [
        ("agent", "one", "two three four"),
        ("caller", "", ""),
        ("agent", "Goodbye.", ""),
    ]
    assert (call.record.frames_received, call.record.frames_forwarded) == (17, 17)


async def _until_phrase(call: InMemoryCall) -> bytes:
    carrier, said = call.carrier, b""

    async def echo_all() -> None:
        nonlocal said
        while (message := await carrier.outgoing.get()) is not None:
            if message["event"] == "mark":
                carrier.echo(message["mark"]["name"])
            elif message["event"] == "media":
                said += base64.b64decode(message["media"]["payload"])

    opening = asyncio.create_task(echo_all())
    carrier.echo("0:0:0")
    carrier.media()
    await asyncio.wait_for(opening, WITHIN_S)
    return said


async def test_a_session_in_another_format_is_never_played_as_noise() -> None:
    call = InMemoryCall()
    running = asyncio.create_task(call.run())
    pcm = {"format": {"type": "audio/pcm", "rate": 24000}}
    await call.model.open(audio={"input": pcm, "output": pcm})
    assert await _until_phrase(call) == PHRASES["trouble"]
    assert await running is EndReason.MODEL_MISMATCH
    assert "pcm16" in call.record.problems[0].told


async def test_a_server_that_leaves_the_formats_out_is_taken_at_its_word() -> None:
    call = InMemoryCall()
    running = asyncio.create_task(call.run())
    await call.model.open(audio={})
    await call.model.next("response.create")
    call.carrier.incoming.put_nowait('{"event":"stop"}')
    assert await running is EndReason.CALLER_HUNG_UP


async def test_a_model_that_goes_away_is_announced() -> None:
    call = InMemoryCall(greeting=None)
    running = asyncio.create_task(call.run())
    await call.model.open()
    call.model.theirs.close_with(1011, "going away")
    assert await _until_phrase(call) == PHRASES["trouble"]
    assert await running is EndReason.MODEL_LOST


async def test_a_fatal_error_event_ends_the_call_with_words() -> None:
    call = InMemoryCall(greeting=None)
    running = asyncio.create_task(call.run())
    await call.model.open()
    error = {"type": "invalid_request_error", "code": "session_expired", "message": "60 minutes"}
    await call.model.say({"type": "error", "event_id": "e", "error": error})
    assert await _until_phrase(call) == PHRASES["trouble"]
    assert await running is EndReason.MODEL_LOST


async def test_malformed_and_unknown_events_pass_the_call_by() -> None:
    call = InMemoryCall(greeting=None)
    running = asyncio.create_task(call.run())
    await call.model.open()
    await call.model.theirs.write_message(MessageType.TEXT, "{nonsense")
    await call.model.say(
        {"type": "weather.updated"},
        {"type": "response.output_audio.delta", "delta": 5},
        {"type": "error", "event_id": "e", "error": {"type": "x", "message": "odd"}},
    )
    await call.model.speak("r1", "a1", SECOND, "still here")
    await call.carrier.next("media")
    call.carrier.incoming.put_nowait('{"event":"stop"}')
    assert await running is EndReason.CALLER_HUNG_UP
    assert len(call.record.problems) == 3


async def test_a_model_that_cannot_be_reached_is_announced() -> None:
    call = InMemoryCall()

    async def refuse() -> ModelLeg:
        raise ConnectError("429", status=429)

    call.runner._dial = refuse
    running = asyncio.create_task(call.run())
    assert await _until_phrase(call) == PHRASES["trouble"]
    assert await running is EndReason.MODEL_UNREACHABLE


async def test_a_refused_session_is_a_mismatch() -> None:
    call = InMemoryCall()
    model = call.model
    session = Session(audio=Audio(input=AudioInput(format="g711_ulaw")))

    class Dialled(Client):
        def connect(self, **options: Any) -> Any:
            return super().connect(dialer=model, **options)

    client = Dialled(ClientConfig(auth_token="k"))
    dialling = asyncio.create_task(ModelLeg.dial(client, "m", session, timeout_s=WITHIN_S))
    await model.say({"type": "session.created", "event_id": "e", "session": {"type": "realtime"}})
    asked = await model.next("session.update")
    error = {
        "type": "invalid_request_error",
        "code": "unknown_parameter",
        "message": "no",
        "event_id": asked["event_id"],
    }
    await model.say({"type": "error", "event_id": "e", "error": error})
    with pytest.raises(SessionMismatch, match="refused"):
        await dialling


async def test_a_fault_of_our_own_ends_this_call_alone(caplog: pytest.LogCaptureFixture) -> None:
    call = InMemoryCall(greeting=None)

    def broken(*args: object) -> Any:
        raise ZeroDivisionError

    running = asyncio.create_task(call.run())
    await call.model.open()
    call.runner._call.handle = broken
    call.carrier.incoming.put_nowait('{"event":"stop"}')
    assert await running is EndReason.BRIDGE_FAULT

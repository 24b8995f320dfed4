"""A user's program that touches the whole API; ``mypy --strict`` must pass on it, and it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import assert_type

from voicebridge import realtime as rt


class Counting:
    """A transport of the user's own making."""

    def __init__(self, inner: rt.WebSocketConn) -> None:
        self._inner = inner
        self.read = 0

    @property
    def response_headers(self) -> Mapping[str, str]:
        return self._inner.response_headers

    async def read_message(self) -> tuple[rt.MessageType, str | bytes]:
        self.read += 1
        return await self._inner.read_message()

    async def write_message(self, kind: rt.MessageType, data: str | bytes) -> None:
        await self._inner.write_message(kind, data)

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        await self._inner.close()


class CountingDialer:
    """A dialer of the user's own making."""

    def __init__(self, conn: rt.WebSocketConn) -> None:
        self.conn = Counting(conn)

    async def dial(self, url: str, headers: Mapping[str, str]) -> rt.WebSocketConn:
        return self.conn


SESSION = rt.Session(
    model=rt.GPT_REALTIME_2_1,
    instructions="Be brief.",
    output_modalities=[rt.Modality.AUDIO],
    audio=rt.Audio(
        input=rt.AudioInput(
            format=rt.AudioFormat.G711_ULAW,
            turn_detection=rt.SemanticVad(eagerness=rt.Eagerness.LOW, create_response=True),
            transcription=rt.AudioTranscription(model=rt.GPT_TRANSCRIBE, languages=["en"]),
            noise_reduction=rt.NoiseReduction(type=rt.NoiseReductionType.NEAR_FIELD, strength=1),
        ),
        output=rt.AudioOutput(
            format=rt.AudioFormatObject(type="audio/pcmu"), voice=rt.VoiceId(id="v"), speed=1.1
        ),
    ),
    tools=[
        rt.FunctionTool(name="f", parameters={"type": "object"}),
        rt.McpTool(
            server_label="s",
            server_url="https://example.com",
            allowed_tools=rt.McpToolFilter(read_only=True),
            require_approval=rt.McpApprovalFilter(never=rt.McpToolFilter(tool_names=["x"])),
        ),
    ],
    tool_choice=rt.ToolChoiceMcp(server_label="s"),
    max_output_tokens=rt.INF,
    truncation=rt.RetentionRatio(
        retention_ratio=0.8, token_limits=rt.TokenLimits(post_instructions=8000)
    ),
    prompt=rt.Prompt(id="p", variables={"name": "x"}),
    reasoning=rt.Reasoning(effort=rt.ReasoningEffort.LOW),
    tracing=rt.TracingConfiguration(workflow_name="w"),
    include=["item.input_audio_transcription.logprobs"],
    parallel_tool_calls=True,
)

EVENTS: list[rt.ClientEvent] = [
    rt.SessionUpdateEvent(event_id=rt.generate_id("event_"), session=SESSION),
    rt.SessionUpdateEvent(session=rt.TranscriptionSession(include=[])),
    rt.InputAudioBufferAppendEvent(audio="AAAA"),
    rt.InputAudioBufferCommitEvent(),
    rt.InputAudioBufferClearEvent(),
    rt.OutputAudioBufferClearEvent(),
    rt.ConversationItemCreateEvent(item=rt.SystemMessage(content=[rt.input_text("a")])),
    rt.ConversationItemCreateEvent(
        item=rt.UserMessage(content=[rt.input_audio("AAAA"), rt.input_image("data:")]),
        previous_item_id="root",
    ),
    rt.ConversationItemCreateEvent(item=rt.AssistantMessage(content=[rt.output_text("b")])),
    rt.ConversationItemCreateEvent(item=rt.FunctionCall(name="f", arguments="{}", call_id="c")),
    rt.ConversationItemCreateEvent(item=rt.FunctionCallOutput(call_id="c", output="")),
    rt.ConversationItemCreateEvent(
        item=rt.McpApprovalResponse(id="i", approval_request_id="r", approve=True)
    ),
    rt.ConversationItemRetrieveEvent(item_id="i"),
    rt.ConversationItemTruncateEvent(item_id="i", content_index=0, audio_end_ms=10),
    rt.ConversationItemDeleteEvent(item_id="i"),
    rt.ResponseCreateEvent(),
    rt.ResponseCreateEvent(
        response=rt.ResponseCreateParams(
            conversation="none",
            input=[rt.ItemReference(id="i")],
            output_modalities=[rt.Modality.TEXT],
            max_output_tokens=100,
            metadata={"topic": "t"},
            tool_choice=rt.ToolChoiceMode.NONE,
        )
    ),
    rt.ResponseCancelEvent(response_id="r"),
]


def describe(event: rt.ServerEvent) -> str:
    """Show that every attribute has its type."""
    match event:
        case rt.ResponseOutputAudioDeltaEvent(delta=delta, item_id=item_id):
            assert_type(delta, str)
            return item_id
        case rt.UnknownEvent(type=kind, raw=raw):
            return f"{kind} {len(raw)}"
        case rt.ErrorEvent(error=error):
            assert_type(error.code, str | None)
            return error.message or ""
        case rt.SessionCreatedEvent(session=session) | rt.SessionUpdatedEvent(session=session):
            assert_type(session, rt.Session | rt.TranscriptionSession)
            assert_type(session.input_format, rt.AudioFormat | str | None)
            return session.id or ""
        case rt.ResponseDoneEvent(response=response):
            return "".join(_describe_item(item) for item in response.output or [])
        case rt.ResponseFunctionCallArgumentsDoneEvent():
            assert_type(event.call_id, str)
            assert_type(event.name, str | None)
            return event.arguments
        case rt.RateLimitsUpdatedEvent(rate_limits=[rt.RateLimit(remaining=remaining), *_]):
            return str(remaining)
        case _:
            assert_type(event.event_id, str | None)
            return event.type


def _describe_item(item: rt.Item) -> str:
    match item:
        case rt.AssistantMessage(content=parts) | rt.UserMessage(content=parts):
            return "".join(p.text or "" for p in parts if isinstance(p, rt.ContentPart))
        case rt.FunctionCall(arguments=arguments):
            return arguments
        case rt.UnknownObject(type=kind):
            return kind or ""
        case _:
            return item.id or ""


async def converse(client: rt.Client, dialer: rt.WebSocketDialer) -> list[str]:
    """Hold one session with the user's own transport and logger."""
    log: rt.Logger = logging.getLogger("user")
    lines: list[str] = []
    connecting: rt.Connecting = client.connect(model="m", timeout_s=5, dialer=dialer, logger=log)
    async with connecting as conn:
        assert_type(conn, rt.Conn)
        for event in EVENTS:
            await conn.send_message(event, timeout_s=5)
        conn.hold(True)
        conn.hold(False)
        if not conn.post(rt.InputAudioBufferClearEvent()):
            await conn.send_message(rt.InputAudioBufferClearEvent())
        if not conn.post_audio("AAAA"):
            await conn.append_audio("AAAA")
        await conn.send_message_raw("{}")
        await conn.ping()
        first = await conn.read_message(timeout_s=5)
        assert_type(await conn.read_message_raw(), str)
        lines.append(describe(first))
        try:
            async for event_ in conn:
                lines.append(describe(event_))
        except rt.ConnClosed as error:
            lines.append(f"{error.code} {error.permanent}")
    return lines


async def in_batches(conn: rt.Conn) -> list[str]:
    """Take what has come in one go; a malformed event is one of them."""
    lines: list[str] = []

    def take(events: list[rt.ServerEvent | rt.RealtimeProtocolError]) -> None:
        for each in events:
            if isinstance(each, rt.RealtimeProtocolError):
                lines.append(str(each))
            else:
                lines.append(describe(each))

    try:
        await conn.listen(take, only={"response.done", "error"})
    except rt.ConnClosed as end:
        lines.append(str(end.code))
    return lines


async def handle(conn: rt.Conn) -> rt.RealtimeError | None:
    """Use callbacks of both kinds."""

    async def later(event: rt.ServerEvent) -> None:
        describe(event)

    def now(event: rt.ServerEvent) -> None:
        describe(event)

    both: list[rt.ServerEventHandler] = [later, now]
    handler = rt.ConnHandler(conn, *both, logger=rt.StdLogger())
    handler.start()
    await handler.stop()
    async with rt.ConnHandler(conn, *both) as handler:
        return await handler.err()


async def rest(client: rt.Client) -> None:
    """Make every REST call."""
    secret = await client.create_client_secret(SESSION, expires_after_s=60)
    assert_type(secret.value, str)
    made = await client.create_session(SESSION)
    assert_type(made.client_secret, rt.ClientSecret)
    await client.rest.accept_call("rtc", SESSION)
    await client.rest.reject_call("rtc", status_code=486)
    await client.rest.refer_call("rtc", "tel:+1")
    await client.rest.hangup_call("rtc")
    calls: rt.Rest = rt.Rest(client.config, timeout_s=5)
    prepared: rt.CreateSessionResponse = await calls.create_session(SESSION)
    assert_type(prepared.session, rt.Session)
    await rt.http_do("https://example.com", {}, method="GET", headers={}, timeout_s=1)


def ringing(body: bytes, headers: Mapping[str, str]) -> list[rt.SipHeader]:
    """Take an incoming call out of a webhook."""
    try:
        event: rt.WebhookEvent = rt.verify_webhook(body, headers, "whsec_", now=0.0)
    except rt.WebhookSignatureError:
        return []
    call: rt.IncomingCall | None = event.incoming_call
    if call is None:
        return []
    assert_type(call.header("From"), str | None)
    return call.sip_headers


def addresses(credentials: rt.Credentials, target: rt.Target) -> list[str]:
    """Ask the dialects themselves."""
    dialects: list[rt.Dialect] = [rt.GA, rt.BETA, rt.AZURE_GA, rt.AZURE_PREVIEW]
    base = "wss://acme.example.com"
    return [d.url(base, target) for d in dialects if d.headers(credentials)]


async def transports(dialer: rt.WebsocketsDialer) -> rt.Conn:
    """Put a connection together by hand."""
    patient = rt.WebsocketsDialer(rt.WebsocketsOptions(ping_timeout_s=60, close_timeout_s=1))
    kept: list[rt.WebSocketDialer] = [rt.default_dialer(), patient]
    kept.append(rt.MemoryDialer(rt.MemoryTransport.pair()[0]))
    opened: rt.WebsocketsConn = await dialer.dial("ws://127.0.0.1:1", {})
    options = rt.ConnOptions(dialect=rt.GA, strict=False, send_timeout_s=1)
    return rt.Conn(opened, options, logger=rt.NopLogger())


def configurations() -> list[rt.ClientConfig]:
    """Reach every kind of server."""
    return [
        rt.default_config("sk"),
        rt.default_azure_config("k", "https://acme.openai.azure.com", dialect="beta"),
        rt.ClientConfig(base_url="ws://127.0.0.1:1/rt", api_type=rt.APIType.OPENAI, strict=False),
    ]


async def main() -> list[str]:
    """Run what needs no network."""
    ours, theirs = rt.MemoryTransport.pair()
    for text in (
        '{"type":"session.created","session":{"id":"sess_1"}}',
        '{"type":"x"}',
        '{"type":"response.done","response":{"output":[{"type":"function_call","arguments":"{}"}]}}',
    ):
        await theirs.write_message(rt.MessageType.TEXT, text)
    server = asyncio.create_task(_close_after(theirs, len(EVENTS) + 2))
    lines = await converse(rt.Client(configurations()[0]), CountingDialer(ours))
    await server
    return lines


async def _close_after(server: rt.MemoryTransport, messages: int) -> None:
    for _ in range(messages):
        await server.read_message()
    await server.close()


def errors(error: rt.RealtimeError) -> str:
    """Tell errors apart."""
    match error:
        case rt.ConnectError(status=int(status)):
            return f"{status} {error.request_id} {error.retry_after_s}"
        case rt.UnsupportedParameter(param=param):
            return param
        case rt.UnsupportedMessageType() | rt.SessionMismatch():
            return str(error)
        case rt.ServerRejected(code=code, event_id=event_id):
            return f"{code} {event_id}"
        case rt.RealtimeProtocolError(event_type=kind, field=field):
            return f"{kind} {field}"
        case rt.DeadlineExceeded() | rt.RequestError() | rt.PermanentError():
            return str(rt.is_permanent(error))
        case _:
            return str(rt.permanent(error))


if __name__ == "__main__":
    print("\n".join(asyncio.run(main())))  # noqa: T201

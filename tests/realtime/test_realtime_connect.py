"""Opening connections over real sockets, with each library: what works, and how a failure is
told.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest
from recorded_wire_server import RecordedWireServer, Refusal

from voicebridge.errors import ConfigError
from voicebridge.realtime import (
    Client,
    ClientConfig,
    Conn,
    ConnClosed,
    ConnectError,
    Connecting,
    ConversationCreatedEvent,
    DeadlineExceeded,
    MemoryDialer,
    MemoryTransport,
    MessageType,
    NopLogger,
    ResponseCreateEvent,
    SessionCreatedEvent,
    StdLogger,
    UnknownEvent,
    UnsupportedMessageType,
    WebSocketDialer,
    WebsocketsDialer,
    WebsocketsOptions,
    default_dialer,
)
from voicebridge.realtime.transport import dialer_named
from voicebridge.realtime.transport.aiohttp import AiohttpDialer
from voicebridge.realtime.transport.picows import PicowsDialer

DEADLINE_S = 5.0
CREATED = 'S {"type":"session.created","event_id":"e1","session":{"type":"realtime","id":"s"}}'
CLEARED = 'S {"type":"input_audio_buffer.cleared","event_id":"%s"}'

every = pytest.mark.parametrize(
    "dialer",
    [WebsocketsDialer(), AiohttpDialer(), PicowsDialer()],
    ids=["websockets", "aiohttp", "picows"],
)


def client_of(server: RecordedWireServer, **config: Any) -> Client:
    return Client(ClientConfig(auth_token="sk-test", base_url=server.url, **config))


async def failure(client: Client, dialer: WebSocketDialer, **options: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await client.connect(dialer=dialer, timeout_s=DEADLINE_S, **options)
    assert caught.value.permanent
    assert "sk-test" not in str(caught.value)
    return caught.value


@every
async def test_a_connection_is_opened_with_model_key_and_headers(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer([CREATED]) as server:
        client = client_of(server, headers={"OpenAI-Project": "proj_1"})
        conn = await client.connect(model="gpt-realtime-2.1", dialer=dialer)
        request = server.requests[0]
        assert request.path == "/v1/realtime?model=gpt-realtime-2.1"
        assert request.headers["Authorization"] == "Bearer sk-test"
        assert request.headers["OpenAI-Project"] == "proj_1"
        assert "OpenAI-Beta" not in request.headers
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert {name.lower() for name in conn.response_headers} >= {"upgrade", "connection"}
        event = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(event, SessionCreatedEvent)
        await conn.close()


@every
async def test_pings_are_answered_while_somebody_reads(dialer: WebSocketDialer) -> None:
    async with (
        RecordedWireServer([CREATED]) as server,
        client_of(server).connect(dialer=dialer) as conn,
    ):
        await conn.read_message(timeout_s=DEADLINE_S)
        reading = asyncio.create_task(conn.read_message())
        await conn.ping(timeout_s=DEADLINE_S)
        await conn.ping(timeout_s=DEADLINE_S)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


@every
async def test_pings_of_the_server_are_answered_while_somebody_reads(
    dialer: WebSocketDialer,
) -> None:
    async with (
        RecordedWireServer([CREATED, "P", CLEARED % "x"]) as server,
        client_of(server).connect(dialer=dialer) as conn,
    ):
        await conn.read_message(timeout_s=DEADLINE_S)
        assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "x"
        await server.played()


@every
async def test_messages_pass_both_ways_whatever_their_size(dialer: WebSocketDialer) -> None:
    large = "A" * 3_000_000
    script = [CREATED, 'C {"type":"input_audio_buffer.append"}', CLEARED % "x", f"S {large}"]
    async with (
        RecordedWireServer(script) as server,
        client_of(server).connect(dialer=dialer) as conn,
    ):
        server_limit = "A" * 900_000
        await conn.append_audio(server_limit)
        await conn.read_message(timeout_s=DEADLINE_S)
        assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "x"
        assert await conn.read_message_raw(timeout_s=DEADLINE_S) == large
        await server.played()
    assert server.received[0]["audio"] == server_limit


@every
async def test_a_cancelled_read_loses_nothing_on_a_socket(dialer: WebSocketDialer) -> None:
    script = [CREATED, 'C {"type":"response.create"}', CLEARED % "a", CLEARED % "b"]
    async with (
        RecordedWireServer(script) as server,
        client_of(server).connect(dialer=dialer) as conn,
    ):
        await conn.read_message(timeout_s=DEADLINE_S)
        with pytest.raises(DeadlineExceeded):
            await conn.read_message(timeout_s=0.01)
        reading = asyncio.create_task(conn.read_message())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
        await conn.send_message(ResponseCreateEvent())
        events = [await conn.read_message(timeout_s=DEADLINE_S) for _ in "ab"]
        assert [event.event_id for event in events] == ["a", "b"]


@every
async def test_a_close_of_the_server_is_told_by_code_and_reason(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer([CREATED], close=(1001, "session_expired")) as server:
        conn = await client_of(server).connect(dialer=dialer)
        await conn.read_message(timeout_s=DEADLINE_S)
        for _ in range(2):
            with pytest.raises(ConnClosed) as caught:
                await conn.read_message(timeout_s=DEADLINE_S)
            assert (caught.value.code, caught.value.reason) == (1001, "session_expired")
            assert not caught.value.by_us
        with pytest.raises(ConnClosed):
            await conn.send_message(ResponseCreateEvent())
        with pytest.raises(ConnClosed):
            await conn.ping(timeout_s=DEADLINE_S)
        await conn.close()
        await conn.close()


@every
async def test_a_lost_connection_ends_reads_sends_and_pings(dialer: WebSocketDialer) -> None:
    script = [CREATED, 'C {"type":"response.create"}', "X"]
    async with RecordedWireServer(script) as server:
        conn = await client_of(server).connect(dialer=dialer)
        await conn.read_message(timeout_s=DEADLINE_S)
        pinging = asyncio.create_task(conn.ping(timeout_s=DEADLINE_S))
        reading = asyncio.create_task(conn.read_message(timeout_s=DEADLINE_S))
        await pinging
        await conn.send_message(ResponseCreateEvent())
        with pytest.raises(ConnClosed) as caught:
            await reading
        assert caught.value.code is None
        assert not caught.value.by_us
        for attempt in (conn.read_message(), conn.append_audio("AAAA"), conn.ping()):
            with pytest.raises(ConnClosed):
                await attempt
        with pytest.raises(ConnClosed):
            await anext(conn)
        await conn.close()


@every
async def test_our_close_ends_a_ping_under_way(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer([CREATED]) as server:
        conn = await client_of(server).connect(dialer=dialer)
        await conn.read_message(timeout_s=DEADLINE_S)
        reading = asyncio.create_task(conn.read_message())
        await asyncio.sleep(0)
        pinging = asyncio.create_task(conn.ping(timeout_s=DEADLINE_S))
        await asyncio.sleep(0)
        await conn.close()
        assert isinstance((await asyncio.gather(reading, return_exceptions=True))[0], ConnClosed)
        # The pong may just have come before the close.
        assert isinstance(
            (await asyncio.gather(pinging, return_exceptions=True))[0], ConnClosed | None
        )


@every
async def test_our_close_ends_a_read_under_way(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer([CREATED]) as server:
        conn = await client_of(server).connect(dialer=dialer)
        await conn.read_message(timeout_s=DEADLINE_S)
        reading = asyncio.create_task(conn.read_message())
        await asyncio.sleep(0)
        await conn.close()
        with pytest.raises(ConnClosed) as caught:
            await reading
        assert caught.value.by_us


@every
async def test_a_binary_frame_is_not_an_event(dialer: WebSocketDialer) -> None:
    async with (
        RecordedWireServer([CREATED, "B {}", CLEARED % "x"]) as server,
        client_of(server).connect(dialer=dialer) as conn,
    ):
        await conn.read_message(timeout_s=DEADLINE_S)
        with pytest.raises(UnsupportedMessageType):
            await conn.read_message(timeout_s=DEADLINE_S)
        assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "x"


def body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": code}}


@pytest.mark.parametrize(
    ("refusal", "texts", "retry_after_s"),
    [
        (
            Refusal(401, body("invalid_api_key", "Incorrect API key."), {"x-request-id": "req_1"}),
            ["HTTP 401, invalid_api_key: Incorrect API key;", "check the key", "req_1"],
            None,
        ),
        (
            Refusal(429, body("rate_limit_exceeded", "Slow down"), {"Retry-After": "7"}),
            ["too many requests", "retry after 7 s"],
            7.0,
        ),
        (Refusal(429, None, {"retry-after-ms": "1500"}), ["try again later"], 1.5),
        (Refusal(404, body("DeploymentNotFound", "No")), ["name of a deployment"], None),
        (Refusal(403, {"error": "?"}), ["HTTP 403; the key may not"], None),
        (Refusal(503, "not an object"), ["problem of its own"], None),
        (Refusal(418), ["HTTP 418"], None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Refusal) else "",
)
@every
async def test_a_refused_handshake_says_what_to_do(
    dialer: WebSocketDialer, refusal: Refusal, texts: list[str], retry_after_s: float | None
) -> None:
    async with RecordedWireServer(refusal=refusal) as server:
        error = await failure(client_of(server), dialer)
    assert error.status == refusal.status
    assert error.retry_after_s == retry_after_s
    assert all(text in str(error) for text in texts), str(error)
    assert error.request_id == refusal.headers.get("x-request-id", "req_101")


async def test_a_retry_time_may_be_a_date() -> None:
    refusal = Refusal(429, None, {"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    async with RecordedWireServer(refusal=refusal) as server:
        error = await failure(client_of(server), default_dialer())
    assert error.retry_after_s is not None
    assert 0 < error.retry_after_s <= 60


@every
async def test_a_redirect_is_refused_since_the_key_would_go_along(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer([CREATED]) as elsewhere:
        away = Refusal(307, None, {"Location": elsewhere.url})
        async with RecordedWireServer(refusal=away) as server:
            error = await failure(client_of(server), dialer)
        assert error.status == 307
        assert elsewhere.requests == []


@every
async def test_no_server_and_no_address_are_told(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer() as server:
        url = server.url
    gone = Client(ClientConfig(auth_token="sk-test", base_url=url))
    assert "no connection" in str(await failure(gone, dialer))
    nowhere = Client(ClientConfig(auth_token="sk-test", base_url="ws://"))
    assert "not a websocket address" in str(await failure(nowhere, dialer))


@asynccontextmanager
async def plain_tcp_server(reply: bytes) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/realtime"
    finally:
        server.close()
        await server.wait_closed()


@every
async def test_a_server_that_speaks_no_http_is_told(dialer: WebSocketDialer) -> None:
    async with plain_tcp_server(b"220 smtp ready\r\n") as url:
        error = await failure(Client(ClientConfig(auth_token="sk-test", base_url=url)), dialer)
    assert error.status is None


ERROR = (
    'S {"type":"error","event_id":"e","error":{"type":"invalid_request_error",'
    '"code":"%s","message":"%s","param":null}}'
)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("beta_api_shape_disabled", "use dialect 'ga'"),
        ("model_not_found", "check the model's name"),
        ("invalid_api_key", "check the key"),
        ("insufficient_quota", "no credit left"),
        ("something_new", "something_new: No."),
    ],
)
async def test_an_error_as_first_event_is_a_failed_connect(code: str, remedy: str) -> None:
    script = [ERROR % (code, "No.")]
    async with RecordedWireServer(script, close=(4000, f"invalid_request_error.{code}")) as server:
        error = await failure(client_of(server, dialect="beta"), default_dialer())
    assert remedy.rstrip(".") in str(error)
    assert (error.status, error.request_id) == (None, "req_101")


@every
async def test_a_close_before_the_session_is_a_failed_connect(dialer: WebSocketDialer) -> None:
    async with RecordedWireServer(close=(3000, "invalid_api_key")) as server:
        error = await failure(client_of(server), dialer)
    assert "closed with code 3000" in str(error)
    assert "check the key" in str(error)


async def test_what_is_no_event_is_a_failed_connect() -> None:
    async with RecordedWireServer(["S <html>"]) as server:
        error = await failure(client_of(server), default_dialer())
    assert "not a realtime server" in str(error)


async def test_a_server_that_never_announces_a_session_is_a_failed_connect() -> None:
    async with RecordedWireServer(['S {"type":"ping"}'] * 40) as server:
        error = await failure(client_of(server), default_dialer())
    assert "no session.created" in str(error)


async def test_a_silent_server_ends_the_connect_at_its_deadline() -> None:
    async with RecordedWireServer() as server:
        with pytest.raises(ConnectError, match=r"no session within 0\.05 s"):
            await client_of(server).connect(timeout_s=0.05)


async def test_a_cancelled_connect_leaves_no_connection_behind() -> None:
    ours, theirs = MemoryTransport.pair()
    connecting = asyncio.ensure_future(
        _awaited(Client("sk-test").connect(dialer=MemoryDialer(ours)))
    )
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    with pytest.raises(ConnClosed):
        await theirs.read_message()


async def _awaited(connecting: Connecting) -> Conn:
    return await connecting


async def test_a_server_that_waits_for_us_is_an_option() -> None:
    script = ['C {"type":"response.create"}', CLEARED % "x"]
    async with (
        RecordedWireServer(script) as server,
        client_of(server, server_speaks_first=False).connect() as conn,
    ):
        await conn.send_message(ResponseCreateEvent())
        assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "x"


async def test_events_before_the_session_are_delivered_in_their_order() -> None:
    ours, theirs = MemoryTransport.pair()
    for event in (
        {"type": "ping"},
        {"type": "conversation.created", "conversation": {"id": "c"}},
        {"type": "session.created", "session": {"id": "s"}},
    ):
        await theirs.write_message(MessageType.TEXT, json.dumps(event))
    dialer = MemoryDialer(ours)
    async with Client("sk-test").connect(dialer=dialer, logger=NopLogger()) as conn:
        kinds = [type(await conn.read_message(timeout_s=DEADLINE_S)) for _ in range(3)]
    assert kinds == [UnknownEvent, ConversationCreatedEvent, SessionCreatedEvent]
    assert dialer.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert dialer.headers == {"Authorization": "Bearer sk-test"}


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({"call_id": "rtc_1"}, "call_id=rtc_1"),
        ({"intent": "transcription"}, "intent=transcription"),
        ({"model": "m", "intent": "realtime"}, "model=m&intent=realtime"),
    ],
)
async def test_a_connection_may_join_a_call_or_only_listen(
    options: dict[str, str], query: str
) -> None:
    ours, theirs = MemoryTransport.pair()
    await theirs.write_message(MessageType.TEXT, '{"type":"session.created","session":{}}')
    dialer = MemoryDialer(ours)
    conn = await Client("sk-test").connect(dialer=dialer, **options)
    assert isinstance(conn, Conn)
    assert dialer.url.endswith(f"?{query}")


async def test_a_connect_leaves_a_line_in_the_log_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    async with (
        RecordedWireServer([CREATED]) as server,
        client_of(server).connect(logger=StdLogger()),
    ):
        pass
    ours = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    assert any("connected to" in line for line in ours)
    assert not any("sk-test" in line for line in ours)


def test_a_client_s_text_does_not_show_its_key() -> None:
    client = Client("sk-secret")
    assert "sk-secret" not in repr(client)
    assert client.config.auth_token == "sk-secret"


def test_a_transport_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(dialer_named("websockets"), WebsocketsDialer)
    assert isinstance(dialer_named("aiohttp"), AiohttpDialer)
    assert isinstance(dialer_named("picows"), PicowsDialer)
    assert isinstance(dialer_named("auto"), PicowsDialer)
    monkeypatch.setattr("voicebridge.realtime.transport.find_spec", lambda _name: None)
    assert isinstance(dialer_named("auto"), WebsocketsDialer)
    assert isinstance(dialer_named("websockets"), WebsocketsDialer)


def test_a_transport_that_is_not_installed_is_refused_when_the_client_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicebridge.realtime.transport.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="pip install picows, or choose auto") as caught:
        Client(ClientConfig(auth_token="sk-test", transport="picows"))
    assert caught.value.key == "transport"


async def test_the_clients_transport_dials() -> None:
    async with (
        RecordedWireServer([CREATED]) as server,
        client_of(server, transport="aiohttp").connect(),
    ):
        assert "aiohttp" in server.requests[0].headers["User-Agent"]


async def test_a_limit_of_size_may_be_set() -> None:
    dialer = WebsocketsDialer(WebsocketsOptions(read_limit_bytes=1000))
    async with RecordedWireServer([CREATED, f'S {{"type":"{"x" * 2000}"}}']) as server:
        conn = await client_of(server).connect(dialer=dialer)
        await conn.read_message(timeout_s=DEADLINE_S)
        with pytest.raises(ConnClosed) as caught:
            await conn.read_message(timeout_s=DEADLINE_S)
        assert caught.value.code == 1009
        await conn.close()

"""Log lines carry the call's id, and neither secrets nor telephone numbers."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from voicebridge.log import REDACTED, Redactor, call_scope, catch_uncaught, configure

KEY = "sk-proj-Aa0_-456789012345"
TOKEN = "0123456789abcdef0123456789abcdef"
PLANTED = "hunter2-is-the-word"


@pytest.fixture(autouse=True)
def logging_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines():
    """Log as JSON into memory, and read the lines back."""
    stream = io.StringIO()
    configure("debug", "json", secrets=[PLANTED, TOKEN], stream=stream)

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    read.raw = stream.getvalue  # type: ignore[attr-defined]
    return read


def fail(error: Exception) -> None:
    raise error


@dataclass
class Request:
    url: str
    headers: dict[str, str]


def test_a_line_has_time_level_logger_and_event(lines) -> None:
    structlog.get_logger("voicebridge.bridge").info("call answered", seconds=1.5, tries=2)
    (line,) = lines()
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["logger"]) == ("info", "voicebridge.bridge")
    assert (line["event"], line["seconds"], line["tries"]) == ("call answered", 1.5, 2)


async def test_every_line_of_a_call_carries_its_id_also_from_its_tasks(lines) -> None:
    log = structlog.get_logger()

    async def speak(call_id: str, others: asyncio.Barrier) -> None:
        with call_scope(call_id):
            await others.wait()
            async with asyncio.TaskGroup() as group:
                group.create_task(whisper(call_id))

    async def whisper(said: str) -> None:
        log.info("said", said=said)
        logging.getLogger("library").warning("heard %s", said)

    barrier = asyncio.Barrier(2)
    async with asyncio.timeout(5):
        await asyncio.gather(speak("c1", barrier), speak("c2", barrier))
    log.info("outside")
    *inside, outside = lines()
    assert len(inside) == 4
    assert all(line["call_id"] in (line.get("said"), line["event"][-2:]) for line in inside)
    assert "call_id" not in outside


@pytest.mark.parametrize(
    "leak",
    [
        {"event_text": f"the word is {PLANTED}."},
        {"event_text": f"dialled with Authorization: Bearer {KEY}"},
        {"event_text": f"dialled with bearer {KEY}"},
        {"event_text": f"wss://a.example/?token={TOKEN}&x=1"},
        {"event_text": f'{{"api_key": "{KEY}"}}'},
        {"event_text": f"OPENAI_API_KEY={KEY}"},
        {"event_text": f"refused key {KEY}"},
        {"authorization": f"Bearer {KEY}"},
        {"Authorization": KEY},
        {"apiKey": "planted-by-name " + KEY},
        {"stream_token": TOKEN},
        {"headers": {"X-Twilio-Signature": KEY, "Cookie": KEY}},
        {"headers": [("Authorization", f"Bearer {KEY}")]},
        {"deep": [{"a": ({"client_secret": {"value": KEY}},)}]},
        {"session": {KEY: 1}},
        {"request": Request(f"https://a.example/?token={TOKEN}", {"a": KEY})},
        {"error": ValueError(f"bad {PLANTED}")},
        {"password": 1234567890123},
        {"raw": PLANTED.encode()},
    ],
)
def test_a_planted_secret_reaches_no_line(lines, leak: dict[str, Any]) -> None:
    fields = dict(leak)
    structlog.get_logger().info(fields.pop("event_text", "event"), **fields)
    for secret in (KEY, TOKEN, PLANTED, "1234567890123"):
        assert secret not in lines.raw()
    assert REDACTED in lines.raw() or "bytes>" in lines.raw()


def test_a_secret_in_a_traceback_is_left_out(lines) -> None:
    try:
        fail(ConnectionError(f"https://u:{PLANTED}@a.example refused, key {KEY}, +15550100002"))
    except ConnectionError:
        structlog.get_logger().exception("connecting failed")
        logging.getLogger("library").exception("connecting failed")
    for line in lines():
        assert line["exception"].endswith("ConnectionError")
        assert "test_log.py" in line["exception"]
    assert PLANTED not in lines.raw()
    assert KEY not in lines.raw()


def chained(words: str) -> None:
    try:
        fail(FileNotFoundError(2, words, words))
    except OSError as error:
        raise ExceptionGroup(words, [KeyError(words), ValueError(words)]) from error


def test_of_an_exception_the_log_tells_kind_and_place_but_not_the_words(lines) -> None:
    words = "".join(("my ", "gallbladder"))
    try:
        chained(words)
    except ExceptionGroup:
        structlog.get_logger().exception("it failed")
    (line,) = lines()
    kinds = [text.strip() for text in line["exception"].splitlines() if 'File "' not in text]
    for kind in ("KeyError", "ValueError", "ExceptionGroup", "That led to this:"):
        assert kind in kinds
    assert "FileNotFoundError: No such file or directory" in kinds
    assert words not in lines.raw()


def test_an_exception_that_contains_itself_is_told_once(lines) -> None:
    one, other = ValueError("a"), KeyError("b")
    one.__cause__, other.__cause__ = other, one
    structlog.get_logger().error("odd", exc_info=one)
    (line,) = lines()
    assert line["exception"].count("ValueError") == 1


async def test_a_task_that_fails_unseen_is_told_without_its_words(lines) -> None:
    async def work() -> None:
        fail(ValueError("my gallbladder"))

    task = asyncio.create_task(work(), name="work")
    await asyncio.wait({task})
    logging.getLogger("library").error("Task exception was never retrieved\nfuture: %r", task)
    assert task.exception() is not None
    (line,) = lines()
    assert "exception=ValueError(…)" in line["event"]
    assert "gallbladder" not in line["event"]


def test_what_nobody_caught_is_logged_like_all_else(lines, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    catch_uncaught()
    try:
        thread = threading.Thread(target=fail, args=(ValueError(PLANTED),))
        thread.start()
        thread.join()
        sys.excepthook(KeyError, KeyError(PLANTED), None)
        sys.unraisablehook(Unraisable(KeyError, KeyError(PLANTED)))
    finally:
        logging.captureWarnings(False)
    events = [(line["event"], line["exception"].splitlines()[-1]) for line in lines()]
    assert events == [
        ("thread_died", "ValueError"),
        ("uncaught", "KeyError"),
        ("not_raised", "KeyError"),
    ]
    assert PLANTED not in lines.raw()


@dataclass
class Unraisable:
    exc_type: type[BaseException]
    exc_value: BaseException
    exc_traceback: None = None
    err_msg: str | None = None
    object: Any = None


def test_the_libraries_lines_pass_the_same_point(lines) -> None:
    logging.getLogger("some.library").warning("token=%s to %s", TOKEN, "+15550100002")
    (line,) = lines()
    assert line["event"] == f"token={REDACTED} to +1555•••••02"
    assert line["logger"] == "some.library"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("+15550100002", "+1555•••••02"),
        ("from +1 (555) 010-0002 to", "from +1555•••••02 to"),
        ("%2B15550100002", "%2B1555•••••02"),
        ("sip:15550100002@a.example", "sip:1555•••••02@a.example"),
        ("+4930123456", "+4930••••56"),
        ("+1234567", "+1••••67"),
        ("2030-01-02T03:04:05+00:00", "2030-01-02T03:04:05+00:00"),
        ("+200 ms", "+200 ms"),
        ("in 1234567890 ns", "in 1234567890 ns"),
    ],
)
def test_a_telephone_number_keeps_its_area_and_last_two_digits(written, shown) -> None:
    assert Redactor().text(written) == shown


@pytest.mark.parametrize("key", ["to", "from", "from_", "caller", "called", "From", "to_number"])
@pytest.mark.parametrize("value", ["15550100002", 15550100002, "+15550100002", "1-555-010-0002"])
def test_under_a_callers_key_a_bare_number_is_masked_too(key: str, value: object) -> None:
    shown = Redactor()(None, "info", {key: value})[key]
    assert shown.removeprefix("+") == "1555•••••02"


def test_what_is_no_secret_stays_as_it_is(lines) -> None:
    usage = {"input_tokens": 12, "total_tokens": 40}
    structlog.get_logger().info(
        "spent", usage=usage, number=3, token=None, auth=True, max_tokens="inf", key="tools[1]"
    )
    (line,) = lines()
    assert line["usage"] == usage
    assert (line["number"], line["token"], line["auth"]) == (3, None, True)
    assert (line["max_tokens"], line["key"]) == ("inf", "tools[1]")


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    ),
    st.text(),
    st.text(),
)
def test_a_known_secret_is_found_wherever_it_stands(value: Any, before: str, after: str) -> None:
    redact = Redactor([PLANTED])
    event = redact(
        None, "info", {"event": before + PLANTED + after, "v": [value, {PLANTED: value}]}
    )
    assert PLANTED not in repr(event)


def test_what_contains_itself_is_logged_to_a_bounded_depth(lines) -> None:
    loop: dict[str, Any] = {"word": PLANTED}
    loop["again"] = loop
    structlog.get_logger().info("loop", loop=loop)
    assert PLANTED not in lines.raw()
    assert len(lines()) == 1


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure("warning", "json", stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_libraries_that_log_every_frame_are_held_back(lines) -> None:
    logging.getLogger("websockets.client").debug("> TEXT frame")
    logging.getLogger("httpcore2.http11").debug("send_request_headers")
    logging.getLogger("mcp.client").warning("Message was: %s", PLANTED)
    logging.getLogger("websockets.client").warning("closed")
    assert [line["event"] for line in lines()] == ["closed"]


def test_the_console_is_plain_text_on_standard_error(capsys) -> None:
    configure("info", "console", secrets=[PLANTED])
    try:
        fail(ValueError(PLANTED))
    except ValueError:
        structlog.get_logger("voicebridge").exception("call failed", caller="+15550100002")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "call failed" in captured.err
    assert "caller=+1555•••••02" in captured.err
    assert "Traceback" in captured.err
    assert PLANTED not in captured.err
    assert "\x1b" not in captured.err


def test_configuring_again_replaces_what_was_there() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", stream=first)
    configure("info", "json", stream=second)
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1

"""Ids, loggers, permanence, and the pair in memory."""

from __future__ import annotations

import asyncio
import logging

import pytest
import structlog

from voicebridge.realtime import (
    ConnClosed,
    Logger,
    MemoryTransport,
    MessageType,
    NopLogger,
    PermanentError,
    RealtimeProtocolError,
    StdLogger,
    generate_id,
    is_permanent,
    permanent,
)
from voicebridge.realtime.ids import ALPHABET


def test_an_id_has_its_length_prefix_included() -> None:
    made = generate_id("item_", 32)
    assert len(made) == 32
    assert made.startswith("item_")
    assert set(made[5:]) <= set(ALPHABET)
    assert not set("0OIl") & set(ALPHABET)


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_prefix_as_long_as_the_id_comes_back_as_it_is(length: int) -> None:
    assert generate_id("item_", length) == "item_"


def test_ids_differ() -> None:
    assert len({generate_id("", 20) for _ in range(100)}) == 100


def test_permanent_wraps_once_and_leaves_nothing_as_nothing() -> None:
    assert permanent(None) is None
    cause = ValueError("broken")
    wrapped = permanent(cause)
    assert isinstance(wrapped, PermanentError)
    assert wrapped.__cause__ is cause
    assert str(wrapped) == "broken"
    assert permanent(wrapped) is wrapped
    closed = ConnClosed(1000)
    assert permanent(closed) is closed


def test_permanence_is_found_through_causes() -> None:
    outer = RuntimeError("outer")
    outer.__cause__ = permanent(RealtimeProtocolError("inner"))
    assert is_permanent(outer)
    assert not is_permanent(RealtimeProtocolError("x"))
    assert not is_permanent(ValueError("x"))
    assert not is_permanent(None)


def test_the_standard_logger_passes_everything_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    logger: Logger = StdLogger()
    logger.debug("%d", 1)
    logger.info("%d", 2)
    logger.warning("%d", 3)
    logger.error("%d", 4)
    levels = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert levels == [("DEBUG", "1"), ("INFO", "2"), ("WARNING", "3"), ("ERROR", "4")]


def test_a_logger_of_the_library_or_of_structlog_fits_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library: Logger = logging.getLogger("mine")
    library.error("%s!", "mine")
    assert "mine!" in caplog.text
    with structlog.testing.capture_logs() as lines:
        other: Logger = structlog.make_filtering_bound_logger(0)(
            structlog.PrintLogger(), structlog.get_config()["processors"], {}
        )
        other.warning("%s!", "theirs")
    assert lines == [{"event": "theirs!", "log_level": "warning"}]


def test_the_silent_logger_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logger: Logger = NopLogger()
    for log in (logger.debug, logger.info, logger.warning, logger.error):
        log("x")
    assert capsys.readouterr() == ("", "")


async def test_a_pair_carries_both_kinds_both_ways() -> None:
    left, right = MemoryTransport.pair()
    await left.write_message(MessageType.TEXT, b"{}")
    await left.write_message(MessageType.BINARY, b"\x00")
    await right.write_message(MessageType.TEXT, "back")
    assert await right.read_message() == (MessageType.TEXT, "{}")
    assert await right.read_message() == (MessageType.BINARY, b"\x00")
    assert await left.read_message() == (MessageType.TEXT, "back")


async def test_a_full_pair_lets_its_writer_go_when_it_closes() -> None:
    left, right = MemoryTransport.pair(capacity=1)
    await left.write_message(MessageType.TEXT, "1")
    writing = asyncio.create_task(left.write_message(MessageType.TEXT, "2"))
    await asyncio.sleep(0)
    await right.close()
    with pytest.raises(ConnClosed):
        await writing
    assert await right.read_message() == (MessageType.TEXT, "1")
    with pytest.raises(ConnClosed):
        await right.read_message()

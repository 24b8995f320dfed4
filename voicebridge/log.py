"""Set up logging: one line an event, with the call's id, and nothing in it that must stay secret.

Everything passes one point, whoever logs: our own structlog loggers, and the libraries through the
standard library. There, at the end, secrets are left out and telephone numbers masked: first by
the names of the keys, then in all text. Of exceptions the log tells kind and place, not the words.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from voicebridge.redaction import REDACTED, Redaction

MAX_DEPTH = 6

_CHATTY = (
    "aiohttp",
    "asyncio",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "openai",
    "picows",
    "twilio",
    "urllib3",
    "websockets",
)
"""Libraries that would write every frame of every call, or every request with its headers."""

_SILENT = ("mcp",)
"""Those that write what was said into their warnings; what matters of it is told by us."""

_SECRET_KEY = re.compile(
    r"(^|_)(authorization|token|secrets?|passwords?|passwd|credentials?|cookies?|signature"
    r"|api_?keys?|auth)$"
)
_PERSONAL_KEY = re.compile(r"(^|_)(from|to|caller|called|phone|number|msisdn)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_EXCEPTION_REPR = re.compile(r"(?P<name>\bexception=[\w.]+)\(.*", re.DOTALL)
MOST_OF_A_GROUP = 5


class Redactor:
    """Remove secrets and mask telephone numbers in whatever a log line holds."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that are known by value."""
        self._redaction = Redaction(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Work as structlog's processor."""
        return {str(key): self._value(str(key), value, 0) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return ``text`` without secrets and with telephone numbers masked."""
        return self._redaction.clean(text)

    def _value(self, key: str, value: Any, depth: int) -> Any:
        name = re.sub(r"\W", "_", _CAMEL.sub("_", key)).strip("_").lower()
        if value is None or isinstance(value, bool):
            return value
        if _SECRET_KEY.search(name):
            return REDACTED
        if _PERSONAL_KEY.search(name) and isinstance(value, int | str):
            masked = self._redaction.clean_number(str(value))
            return value if masked == str(value) else masked
        if isinstance(value, int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        return self._container(key, value, depth + 1)

    def _container(self, key: str, value: Any, depth: int) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if depth <= MAX_DEPTH and isinstance(value, Mapping):
            return {
                self.text(str(inner)): self._value(str(inner), each, depth)
                for inner, each in value.items()
            }
        if depth <= MAX_DEPTH and isinstance(value, Sequence | set | frozenset):
            return [self._value(key, each, depth) for each in value]
        return self.text(repr(value))


class _Stderr:
    """Write to whatever standard error is at that moment."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


class _Handler(logging.StreamHandler[Any]):
    """Be the one handler that configure() puts in place, and replaces when called again."""


def configure(
    level: str, format: str, secrets: Iterable[str] = (), *, stream: TextIO | None = None
) -> None:
    """Send all logs to standard error, or to ``stream``.

    ``level`` is debug, info, warning or error; ``format`` is console, for people, or json, for
    machines. ``secrets`` are values to be left out wherever they appear. May be called again.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    target = stream or _Stderr()
    handler = _Handler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(told),
                _without_reprs,
                Redactor(secrets),
                _renderer(format, colors=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Handler)] + [handler]
    root.setLevel(threshold)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def call_scope(call_id: str) -> AbstractContextManager[None]:
    """Bind the call's id to every line that is logged inside, tasks started there included."""
    return structlog.contextvars.bound_contextvars(call_id=call_id)


def _renderer(format: str, *, colors: bool) -> structlog.typing.Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


def catch_uncaught() -> None:
    """Have what nobody caught, in whatever thread, logged like all else; for good."""
    logger = logging.getLogger("voicebridge")

    def of_main(
        kind: type[BaseException], fault: BaseException, trace: TracebackType | None
    ) -> None:
        logger.critical("uncaught", exc_info=(kind, fault, trace))

    def of_thread(args: threading.ExceptHookArgs) -> None:
        fault = args.exc_value or args.exc_type()
        logger.error("thread_died", exc_info=(args.exc_type, fault, args.exc_traceback))

    def of_nobody(args: sys.UnraisableHookArgs) -> None:
        fault = args.exc_value or args.exc_type()
        logger.error("not_raised", exc_info=(args.exc_type, fault, args.exc_traceback))

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_main, of_thread, of_nobody
    logging.captureWarnings(True)


def told(exc_info: structlog.typing.ExcInfo) -> str:
    """Tell of an exception what kind it is and where it came from, but not its words.

    They may be a caller's, or hold a secret: who raised it knows no log. The system's own errors
    keep the words that stand for their number.
    """
    return "".join(_told(exc_info[1], set())).rstrip()


def _told(fault: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(fault))
    before = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if before is not None and id(before) not in seen:
        yield from _told(before, seen)
        yield "\nThat led to this:\n\n"
    if fault.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(fault.__traceback__)
    name = f"{type(fault).__module__}.{type(fault).__qualname__}".removeprefix("builtins.")
    number = fault.errno if isinstance(fault, OSError) else None
    yield name + ("\n" if number is None else f": {os.strerror(number)}\n")
    if isinstance(fault, BaseExceptionGroup):
        for one in fault.exceptions[:MOST_OF_A_GROUP]:
            yield from (f"  {line}" for line in "".join(_told(one, seen)).splitlines(keepends=True))


def _without_reprs(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out the words of an exception of which asyncio writes the repr into its message."""
    if isinstance(said := event.get("event"), str) and "exception=" in said:
        event["event"] = _EXCEPTION_REPR.sub(r"\g<name>(…)", said)
    return event

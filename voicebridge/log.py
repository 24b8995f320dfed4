"""Set up logging: one line an event, with the call's id, and nothing in it that must stay secret.

Everything passes one point, whoever logs: our own structlog loggers, and the libraries through the
standard library. There, at the end, secrets are left out and telephone numbers masked: first by
the names of the keys, then in all text, tracebacks included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"
MAX_DEPTH = 6

# Libraries that would write every frame of every call.
_CHATTY = ("aiohttp.access", "asyncio", "websockets")

_SECRET_KEY = re.compile(
    r"(^|_)(authorization|token|secrets?|passwords?|passwd|credentials?|cookies?|signature"
    r"|api_?keys?|auth)$"
)
_PERSONAL_KEY = re.compile(r"(^|_)(from|to|caller|called|phone|number|msisdn)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_SECRET_TEXT = re.compile(
    r"""
      \b(?P<scheme>Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}
    | \b(?:sk|ek|rk|whsec)[-_][A-Za-z0-9_-]{8,}
    | (?P<name>\b[\w.-]{0,40}(?:authorization|token|secret|password|api[_-]?key|signature|cookie)
        ["']?\s*[:=]\s*)
      (?:\[redacted\]|"[^"]*"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s"',;&)}\]]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?:\+|%2B|tel:|sip:)(?P<digits>\d(?:[\s().-]{0,2}\d){6,14})(?!\d)", re.IGNORECASE
)
_BARE_PHONE = re.compile(r"(?<![\w.])(?P<digits>\d(?:[\s().-]{0,2}\d){6,14})(?![\w])")


class Redactor:
    """Remove secrets and mask telephone numbers in whatever a log line holds."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that are known by value; the longest is looked for first."""
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Work as structlog's processor."""
        return {str(key): self._value(str(key), value, 0) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return ``text`` without secrets and with telephone numbers masked."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _SECRET_TEXT.sub(_without_secret, text)
        return _PHONE.sub(_masked, text)

    def _value(self, key: str, value: Any, depth: int) -> Any:
        name = re.sub(r"\W", "_", _CAMEL.sub("_", key)).strip("_").lower()
        if value is None or isinstance(value, bool):
            return value
        if _SECRET_KEY.search(name):
            return REDACTED
        if _PERSONAL_KEY.search(name) and isinstance(value, int | str):
            masked = _BARE_PHONE.sub(_masked, self.text(str(value)))
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
                structlog.processors.format_exc_info,
                Redactor(secrets),
                _renderer(format, colors=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Handler)] + [handler]
    root.setLevel(threshold)
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


def _without_secret(match: re.Match[str]) -> str:
    if match["scheme"]:
        return f"{match['scheme']} {REDACTED}"
    return (match["name"] or "") + REDACTED


def _masked(match: re.Match[str]) -> str:
    """Keep the first four digits, which name country and area, and the last two."""
    digits = re.sub(r"\D", "", match["digits"])
    shown = max(0, min(4, len(digits) - 6))
    plus = match[0][: match.start("digits") - match.start()]
    return f"{plus}{digits[:shown]}{'•' * (len(digits) - shown - 2)}{digits[-2:]}"

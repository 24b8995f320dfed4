"""The logging seam: any logger with these four methods fits.

``logging.Logger`` and structlog's filtering loggers fit as they are. Only sizes, types and ids are
logged; never a key, an instruction or audio.
"""

from __future__ import annotations

import logging
from typing import Protocol


class Logger(Protocol):
    """Take messages in the manner of ``logging``: a text with %-places and its arguments."""

    def debug(self, message: str, /, *args: object) -> object:
        """Log what only somebody at work on the connection wants."""

    def info(self, message: str, /, *args: object) -> object:
        """Log what happens in a normal run."""

    def warning(self, message: str, /, *args: object) -> object:
        """Log what was survived."""

    def error(self, message: str, /, *args: object) -> object:
        """Log what was not."""


class NopLogger:
    """Drop every message."""

    def debug(self, message: str, /, *args: object) -> None:
        """Do nothing."""

    def info(self, message: str, /, *args: object) -> None:
        """Do nothing."""

    def warning(self, message: str, /, *args: object) -> None:
        """Do nothing."""

    def error(self, message: str, /, *args: object) -> None:
        """Do nothing."""


class StdLogger:
    """Pass messages on to a logger of the standard library, ``voicebridge.realtime`` by default."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("voicebridge.realtime")

    def debug(self, message: str, /, *args: object) -> None:
        """Log at DEBUG."""
        self._logger.debug(message, *args)

    def info(self, message: str, /, *args: object) -> None:
        """Log at INFO."""
        self._logger.info(message, *args)

    def warning(self, message: str, /, *args: object) -> None:
        """Log at WARNING."""
        self._logger.warning(message, *args)

    def error(self, message: str, /, *args: object) -> None:
        """Log at ERROR."""
        self._logger.error(message, *args)

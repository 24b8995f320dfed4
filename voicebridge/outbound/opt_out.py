"""The numbers that are never called: a file of them, one a line, for people and machines."""

from __future__ import annotations

import threading
from pathlib import Path

from voicebridge.personas.numbers import checked_number


class OptOutList:
    """A file of numbers; ``#`` begins a comment. Its methods block: call them in a thread.

    It is read anew each time, so a line added by hand counts from the next call on.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def __contains__(self, number: str) -> bool:
        return checked_number(number) in self._numbers()

    def add(self, number: str) -> bool:
        """Add a number; False if it was there. Raises ValueError for what is no number."""
        wanted = checked_number(number)
        with self._lock:
            if wanted in self._numbers():
                return False
            self._file.parent.mkdir(parents=True, exist_ok=True)
            text = self._file.read_text("utf-8") if self._file.exists() else ""
            gap = "\n" if text and not text.endswith("\n") else ""
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{gap}{wanted}\n")
        return True

    def _numbers(self) -> set[str]:
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return set()
        written = (line.partition("#")[0].strip() for line in lines)
        return {_loosely(number) for number in written if number}


def _loosely(written: str) -> str:
    """Read a line that somebody wrote; one that is no number matches nothing."""
    try:
        return checked_number(written)
    except ValueError:
        return written

"""What the carrier tells of a call besides its stream: ringing, answered, completed, an error.

Such messages come twice, late and out of order. So each is kept once, by its key, as a line of
``status.jsonl`` in the call's folder, and put in order by whoever reads them.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from voicebridge.records.store import call_folder

FILE_NAME = "status.jsonl"
REMEMBERED = 10_000
"""How many messages are known again where nothing is kept on disk."""


@dataclass(frozen=True, slots=True)
class Status:
    """One message: ``order`` sorts those of a call, ``key`` tells a repetition."""

    about: Literal["call", "stream", "machine", "transfer"]
    key: str
    order: int
    told: Mapping[str, str]


class StatusBook:
    """The messages of all calls. Its methods block: call them in a thread."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, call_id: str, status: Status) -> bool:
        """Keep a message; False if it was there already."""
        key = (call_id, status.about, status.key)
        with self._lock:
            if key in self._seen or self._is_written(call_id, status):
                return False
            if self._directory is not None:
                self._write(self._directory, call_id, status)
            self._seen[key] = None
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return True

    def of(self, call_id: str) -> list[dict[str, Any]]:
        """Return the messages of a call in order, each once."""
        if self._directory is None:
            return []
        told = {(line["about"], line["key"]): line for line in self._lines(call_id)}
        return sorted(told.values(), key=lambda line: (line["about"], line["order"]))

    def _is_written(self, call_id: str, status: Status) -> bool:
        return any(
            (line["about"], line["key"]) == (status.about, status.key)
            for line in self._lines(call_id)
        )

    def _lines(self, call_id: str) -> list[dict[str, Any]]:
        if self._directory is None:
            return []
        try:
            text = (call_folder(self._directory, call_id) / FILE_NAME).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def _write(self, directory: Path, call_id: str, status: Status) -> None:
        folder = call_folder(directory, call_id)
        folder.mkdir(parents=True, exist_ok=True)
        line = {"about": status.about, "key": status.key, "order": status.order, **status.told}
        with (folder / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

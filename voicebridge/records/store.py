"""Where records go: a folder a call, or nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

from voicebridge.records.record import CallRecord
from voicebridge.records.transcript import transcript

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class RecordStore:
    """Keeps records as files: ``record.json`` and ``transcript.md`` in a folder a call."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def save(self, record: CallRecord) -> Path | None:
        """Write a record and return its folder, or None if records are kept nowhere.

        Blocks: call it in a thread.
        """
        if self._directory is None:
            return None
        folder = self._directory / _UNSAFE.sub("_", record.call_id)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record.to_dict(), ensure_ascii=False, indent=2)
        (folder / "record.json").write_text(text + "\n", encoding="utf-8")
        (folder / "transcript.md").write_text(transcript(record), encoding="utf-8")
        return folder

"""Where records go: a folder a call, or nowhere."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voicebridge.records.record import CallRecord
from voicebridge.records.transcript import transcript

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def call_folder(directory: Path, call_id: str) -> Path:
    """Return the folder of a call, whatever its id is made of."""
    return directory / _UNSAFE.sub("_", call_id)[:100]


class RecordStore:
    """Keeps records as files: ``record.json`` and ``transcript.md`` in a folder a call.

    A further stream of the same call gets ``record-2.json`` and so on: nothing is overwritten.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.clean: Callable[[str], str] = str
        """Leaves secrets out of what is written; what was said may repeat one."""

    def save(self, record: CallRecord) -> Path | None:
        """Write a record and return its folder, or None if records are kept nowhere.

        Blocks: call it in a thread.
        """
        if self._directory is None:
            return None
        folder = call_folder(self._directory, record.call_id)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._cleaned(record.to_dict()), ensure_ascii=False, indent=2)
        suffix = self._write_new(folder, text + "\n")
        (folder / f"transcript{suffix}.md").write_text(
            self.clean(transcript(record)), encoding="utf-8"
        )
        return folder

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self._cleaned(each) for key, each in value.items()}
        return [self._cleaned(each) for each in value] if isinstance(value, list) else value

    def _write_new(self, folder: Path, text: str) -> str:
        """Write a record under the first name that is free, and return what the name ends with."""
        for number in itertools.count(1):
            suffix = "" if number == 1 else f"-{number}"
            try:
                with (folder / f"record{suffix}.json").open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue
            return suffix
        raise AssertionError("counting has no end")

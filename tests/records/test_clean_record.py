"""A record keeps what was said, but no secret that somebody has repeated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from voicebridge.call import commands as do
from voicebridge.records.record import CallRecord
from voicebridge.records.store import RecordStore
from voicebridge.redaction import REDACTED, Redaction

SECRET = 'Zq7"\\m-8uP2rT9xK4'


def test_a_repeated_secret_is_left_out_and_the_words_around_it_stay(tmp_path: Path) -> None:
    record = CallRecord("CA1", "shop", "+15550100001", "+15550100002", datetime.now(UTC))
    record.note(do.NoteProblem(20, f'the model refused: key "{SECRET}" of {SECRET}'))
    record.note(do.NoteTool(40, "c1", "crm", f'{{"a":"{SECRET}"}}', "Ann paid", True))
    store = RecordStore(tmp_path)
    store.clean = Redaction([SECRET]).without_secrets
    folder = store.save(record)
    assert folder is not None
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir()]
    assert len(texts) == 2
    assert all(SECRET not in text and "Ann paid" in text for text in texts)
    kept = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert kept["problems"][0]["what"] == f'the model refused: key "{REDACTED}" of {REDACTED}'
    assert kept["caller"] == "+15550100001"

"""The page on the realtime client: its examples run and print what it shows, its table is whole."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from docs_model import DocsDialer

from voicebridge import realtime

PAGE = (Path(__file__).parents[2] / "docs" / "realtime.md").read_text("utf-8")
EXAMPLE = r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```\n\n```text\n(.*?)^```"
EXAMPLES = re.findall(EXAMPLE, PAGE, re.M | re.S)
TABLE = PAGE.partition("| Go |")[2]
ROWS = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)(?:\((\w+)\))?` \|", TABLE, re.M)
SEED_NAMES = 252
"""Exported names of the Go library: 102 types, their constants, functions and methods."""


@pytest.mark.parametrize(
    ("code", "printed"),
    [(code, printed) for _, code, printed in EXAMPLES],
    ids=[title for title, _, _ in EXAMPLES],
)
def test_an_example_prints_what_the_page_shows(
    code: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dialer = DocsDialer()

    async def http_do(url: str, body: Any, **options: Any) -> Any:
        assert url.startswith("https://api.openai.com/v1/realtime/")
        return {"value": "ek_1"} if url.endswith("client_secrets") else None

    monkeypatch.setenv("OPENAI_API_KEY", "sk-docs")
    monkeypatch.setattr("voicebridge.realtime.client.dialer_named", lambda _name: dialer)
    monkeypatch.setattr("voicebridge.realtime.rest.http_do", http_do)
    exec(compile(code, "docs/realtime.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == printed
    for _, headers in dialer.dialled:
        assert headers in ({"Authorization": "Bearer sk-docs"}, {"api-key": "the-key"})


def test_every_python_block_of_the_page_is_run() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 9


def test_the_table_has_every_exported_name_of_the_seed_once() -> None:
    names = [seed for seed, _, _ in ROWS]
    assert len(names) == len(set(names)) == SEED_NAMES
    assert len(names) == TABLE.count("\n| `")


def test_every_name_of_the_seed_has_its_counterpart() -> None:
    for seed, here, argument in ROWS:
        found: Any = realtime
        for step in here.split("."):
            found = getattr(found, step, None)
        assert found is not None, f"{seed}: there is no {here}"
        assert here.partition(".")[0] in realtime.__all__
        assert not argument or argument in inspect.signature(found).parameters, seed


def test_every_public_name_can_be_imported_from_the_package() -> None:
    missing = [name for name in realtime.__all__ if not hasattr(realtime, name)]
    assert missing == []
    assert len(set(realtime.__all__)) == len(realtime.__all__)

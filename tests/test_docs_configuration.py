"""The configuration reference is what the models say, and says something of every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicebridge.cli.main import main
from voicebridge.cli.reference import reference_text
from voicebridge.personas.persona import Persona
from voicebridge.personas.routing import Routing
from voicebridge.settings import SettingsFile

DOCS = Path(__file__).parents[1] / "docs"


def rows() -> dict[str, list[str]]:
    """Return the cells of each row by the section's file and the key."""
    found: dict[str, list[str]] = {}
    for section in reference_text().split("\n## ")[1:]:
        file = section.splitlines()[0].strip("`")
        for line in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
            key, *cells = re.split(r" ?(?<!\\)\| ?", line)
            found[f"{file} {key.strip('`')}"] = cells
    return found


def test_the_page_is_current() -> None:
    remedy = "run: voicebridge config reference > docs/configuration.md"
    assert (DOCS / "configuration.md").read_text() == reference_text(), remedy


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "reference"]) == 0
    assert capsys.readouterr().out == reference_text()


def test_every_key_has_a_row_with_its_meaning() -> None:
    files = {
        "config/voicebridge.yaml": SettingsFile,
        "config/personas/NAME.yaml": Persona,
        "config/routing.yaml": Routing,
    }
    for file, model in files.items():
        for name in model.model_fields:
            assert f"{file} {name}" in rows()
    assert [key for key, cells in rows().items() if not cells[2]] == []


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("voicebridge.yaml server.port", ["whole number; at least 0; at most 65535", "`8080`"]),
        ("voicebridge.yaml public_url", ["text or null", "`null`"]),
        ("voicebridge.yaml log.format", ["`console`, `json`", "`console`"]),
        ("voicebridge.yaml records.directory", ["path or null", "`null`"]),
        ("personas/NAME.yaml name", ["text", "**required**"]),
        ("personas/NAME.yaml greeting", ["mapping or text or null", "`null`"]),
        ("personas/NAME.yaml turn_detection.type",
         ["`server_vad` or `semantic_vad`", "`server_vad`"]),
        ("personas/NAME.yaml speed", ["number or null; at least 0.25; at most 1.5", "`null`"]),
        ("personas/NAME.yaml business.hours.monday", ["text", "`closed`"]),
        ("personas/NAME.yaml facts", ["mapping of names to text", "`{}`"]),
        ("routing.yaml rules[].called", ["text or list of text", "`[]`"]),
    ],
)  # fmt: skip
def test_a_row_tells_type_bounds_and_default(key: str, cells: list[str]) -> None:
    assert rows()[f"config/{key}"][:2] == cells


def test_every_linked_page_is_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", reference_text()):
        assert (DOCS / link).is_file(), link

"""``voicebridge personas`` lists the personas and prints the schema of their files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from voicebridge.cli.main import main
from voicebridge.cli.personas import run_list
from voicebridge.personas.layers import load_persona
from voicebridge.personas.schema import persona_schema

SHIPPED = Path(__file__).parents[2] / "config"


def test_every_persona_has_a_line_in_columns() -> None:
    out = io.StringIO()
    assert run_list(SHIPPED, out) == 0
    head, *lines = out.getvalue().splitlines()
    assert head.split() == ["NAME", "VERSION", "ANSWERS", "MODEL", "VOICE", "TOOLS"]
    names = [line.split()[0] for line in lines]
    assert names == sorted(file.stem for file in (SHIPPED / "personas").glob("*.yaml"))
    for column in ("VERSION", "ANSWERS", "MODEL"):
        start = head.index(column)
        assert all(line[start - 1] == " " and line[start] != " " for line in lines)


def test_a_line_tells_the_version_and_what_the_persona_answers() -> None:
    out = io.StringIO()
    run_list(SHIPPED, out)
    rows = {line.split()[0]: line for line in out.getvalue().splitlines()}
    version = load_persona(SHIPPED / "personas" / "front-desk.yaml").version
    assert f"{version}  +15550100002, default " in rows["front-desk"]
    assert rows["front-desk"].endswith("marin  opening_hours, hang_up")
    assert " by rule " in rows["night-line"]


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["personas", "schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == persona_schema()
    assert printed == (SHIPPED / "schema" / "persona.json").read_text()


def test_a_broken_persona_is_told_and_the_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "voicebridge.yaml").write_text("{}")
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/front-desk.yaml").write_text("name: x\ninstructions: y\nvoce: z\n")
    assert main(["personas", "list", "--config", str(tmp_path)]) == 2
    assert "front-desk.yaml:3: voce: unknown key" in capsys.readouterr().err

"""The page on personas says what is so: its files are loaded and its commands are run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voicebridge.audio.format import FRAME_BYTES, ms_to_bytes
from voicebridge.bridge.told import told_first
from voicebridge.cli.main import main
from voicebridge.personas.context import PersonaContext, variable_kinds
from voicebridge.personas.layers import MAX_FILES, load_persona
from voicebridge.personas.loader import load_personas
from voicebridge.personas.outside import MAX_CHARACTERS
from voicebridge.personas.persona import Fallback, Persona
from voicebridge.personas.template import MAX_CHARACTERS as MOST_WORDS
from voicebridge.personas.template_check import FILTERS
from voicebridge.records.mixing import AFTER_KEY_BYTES, BEFORE_KEY_BYTES, HELD_BYTES
from voicebridge.records.recording import STRETCH

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "personas.md").read_text()
FILES = re.findall(r"```yaml\n# (config/\S+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"```console\n\$ voicebridge (.*?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the files of the page in its order; a later one of the same name stands."""
    (tmp_path / "config" / "personas").mkdir(parents=True)
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    (tmp_path / "config" / "voicebridge.yaml").write_text("default_persona: desk\n")
    monkeypatch.chdir(tmp_path)
    return Path("config")


def test_all_files_of_the_page_make_a_configuration(config: Path) -> None:
    assert len(FILES) == 8
    book = load_personas(config / "personas", "desk", config / "routing.yaml")
    assert list(book) == ["desk", "discreet", "evening", "menu", "recorded"]
    assert len(book.routing.rules) == 3
    assert main(["check", str(config)]) == 0


def test_the_smallest_one_is_a_persona(tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(FILES[0][1])
    greeting = load_persona(tmp_path / "desk.yaml").persona.greeting
    assert greeting is not None
    assert greeting.say == "Harbour Dental, how can I help you?"


def test_the_evening_has_what_the_page_says_it_has(config: Path) -> None:
    evening = load_persona(config / "personas" / "evening.yaml").persona
    assert (evening.voice, evening.tools) == ("cedar", ("hang_up",))
    assert (evening.limits.silence_s, evening.limits.goodbye_s) == (40, 5)
    assert sorted(evening.facts) == ["address", "parking"]


def test_the_words_know_of_the_call(config: Path) -> None:
    desk = load_persona(config / "personas" / "desk.yaml").persona
    morning = datetime(2026, 11, 22, 15, 5, tzinfo=UTC)
    at_five_past = PersonaContext(caller="+15550100001", called="+1", now=morning)
    said = desk.rendered(at_five_past)
    assert said.instructions == (
        "You are the receptionist of the practice. It is Sunday, 22 November 2026, 10:05.\n"
        "The caller rings from [caller.number].\nWe are at 12 Quay Street, opposite the ferry.\n"
    )
    (told,) = told_first(said.told(at_five_past), None)
    assert told in PAGE
    assert said.greeting is not None
    assert said.greeting.say == "Good morning, Harbour Dental."
    assert said.fallback == Fallback(
        say="Harbour Dental is being connected.", number="+15550100009"
    )


def test_the_table_names_every_variable_and_no_other(config: Path) -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+(?:\.\w+)?)`", row)}
    business = load_persona(config / "personas" / "desk.yaml").persona.business
    assert named == set(variable_kinds({"NAME": ""}, {"NAME": ""}, business))


def test_filters_and_limits_are_those_of_the_code() -> None:
    (listed,) = re.findall(r"the filters (.*?)\. This is", PAGE, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(FILTERS)
    assert f"at most {MOST_WORDS} characters" in PAGE
    assert f"at most {MAX_CHARACTERS} characters" in PAGE
    assert f"up to {MAX_FILES} files" in PAGE


@pytest.mark.parametrize(("command", "output"), COMMANDS)
def test_the_commands_print_what_the_page_shows(
    config: Path, capsys: pytest.CaptureFixture[str], command: str, output: str
) -> None:
    assert main([*shlex.split(command), "--config", str(config)]) == 0
    assert capsys.readouterr().out == output


def test_every_command_and_page_that_is_named_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    def commands() -> Iterator[str]:
        yield from re.findall(r"`voicebridge ([a-z ]+)`", PAGE)

    assert {*commands()} == {"check", "personas schema", "personas list", "route"}
    for command in commands():
        with pytest.raises(SystemExit) as caught:
            main([*command.split(), "--help"])
        assert caught.value.code == 0
    capsys.readouterr()
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).is_file(), link


def test_every_key_that_the_page_writes_is_one_of_a_persona() -> None:
    for name, text in FILES:
        if "personas" in name:
            keys = set(re.findall(r"^(\w+):", text, re.MULTILINE))
            assert keys <= {"extends", *Persona.model_fields}


def test_what_the_page_says_of_keys_silence_and_recordings_is_so(config: Path) -> None:
    menu = load_persona(config / "personas" / "menu.yaml").persona
    assert (menu.keys.mode, menu.keys.pause_ms, menu.limits.silence_prompts) == ("text", 800, 1)
    recorded = load_persona(config / "personas" / "recorded.yaml").persona
    assert recorded.keep.recording
    assert recorded.greeting is not None
    assert not recorded.greeting.interruptible
    assert not load_persona(config / "personas" / "desk.yaml").persona.keep.recording
    assert ms_to_bytes(1000) == BEFORE_KEY_BYTES
    assert ms_to_bytes(500) == AFTER_KEY_BYTES
    assert ms_to_bytes(7000) == HELD_BYTES + STRETCH * FRAME_BYTES

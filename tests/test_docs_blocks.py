"""Everything that a page tells to type or to write down is something that voicebridge takes.

The pages on tools, personas, Twilio and the realtime client are done from end to end by tests of
their own; this one reads all pages, so that nothing is left out.
"""

from __future__ import annotations

import argparse
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from voicebridge.cli.main import _parser
from voicebridge.personas.persona import Persona
from voicebridge.settings import SettingsFile, load_settings

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"),
                 *(ROOT / "examples").glob("*/README.md")]
}  # fmt: skip
DONE = {"docs/tools.md", "docs/personas.md", "docs/twilio.md", "docs/realtime.md",
        "docs/rehearsals.md"}  # fmt: skip
"""Pages whose files and commands are done, one after the other, by tests of their own."""

LANGUAGES = {"sh", "console", "text", "yaml", "python", "ini", "nginx", "caddy", "dotenv", "json"}
PROGRAMS = {"voicebridge", "uv", "python", "python3", "pip", "docker", "cp", "curl", "export",
            "unset", "cd", "git"}  # fmt: skip
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(?:uv run )?voicebridge ([a-z][^`\n]*)`")


def blocks(*languages: str) -> list[Any]:
    """Return page and text of every block in one of these languages."""
    return [
        pytest.param(page, textwrap.dedent(text), id=f"{page}:{number}")
        for page, whole in PAGES.items()
        for number, (_, language, text) in enumerate(_BLOCK.findall(whole), start=1)
        if language in languages
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    assert {language for _, language, _ in _BLOCK.findall(PAGES[page])} <= LANGUAGES
    assert PAGES[page].count("```") == 2 * len(_BLOCK.findall(PAGES[page]))


def typed(text: str) -> Iterator[list[str]]:
    """Read the commands of a block, as a shell does."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for command in re.split(r" && |; ", line.partition(" <<<")[0]):
            words = shlex.split(command, comments=True)
            if words:
                yield words


def ours(words: list[str]) -> list[str] | None:
    """Return what is typed after the name of our command; None for another program."""
    words = words[2:] if words[:2] == ["uv", "run"] else words
    return words[1:] if Path(words[0]).name == "voicebridge" else None


@pytest.mark.parametrize(("page", "text"), blocks("sh", "console"))
def test_every_command_is_one_that_can_be_typed(page: str, text: str) -> None:
    if "\n$ " in f"\n{text}":  # what is printed stands beside it
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    commands = list(typed(text))
    assert commands
    for words in commands:
        assert Path(words[0]).name in PROGRAMS, words
        if (arguments := ours(words)) is not None:
            options = _parser().parse_args([word for word in arguments if word != ">"])
            assert callable(options.run)


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, each) for page, text in PAGES.items() for each in _INLINE.findall(text)],
)
def test_every_command_that_is_named_is_there_with_its_options(page: str, command: str) -> None:
    parser, names = _parser(), shlex.split(command)
    while names and (further := _commands_of(parser)):
        assert names[0] in further, f"{page}: voicebridge {command}"
        parser = further[names.pop(0)]
    for option in re.findall(r"--[a-z-]+", command):
        assert option in parser._option_string_actions, f"{page}: voicebridge {command}"


def _commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_every_piece_of_python_can_be_read(page: str, text: str) -> None:
    compile(text, page, "exec")


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_every_piece_of_yaml_is_one_of_a_file_of_ours(page: str, text: str) -> None:
    if re.match(r"# (config/\S+\.yaml|yaml-language-server:)", text):
        assert page in DONE, "a whole file is tried out by the page's own test"
        return
    written = yaml.safe_load(text)
    models = [
        model for model in (SettingsFile, Persona) if written.keys() <= model.model_fields.keys()
    ]
    assert models, written
    faults = [_faults(model, written) for model in models]
    assert [] in faults, faults


def _faults(model: type[BaseModel], written: dict[str, Any]) -> list[str]:
    """Check some keys of a file, without those that a whole file must have."""
    faults = []
    for key, value in written.items():
        kind: Any = model.model_fields[key].annotation
        try:
            TypeAdapter(kind).validate_python(value)
        except ValueError as error:
            faults.append(f"{key}: {error}")
    return faults


@pytest.mark.parametrize("page", PAGES)
def test_every_key_that_is_named_by_its_path_is_there(page: str) -> None:
    for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", PAGES[page]):
        top = name.partition(".")[0]
        models = [model for model in (SettingsFile, Persona) if _models_at(model, top)]
        if models and not re.search(r"\.(yaml|py|md|json|txt|jsonl)$", name):
            assert any(_has(model, name.split(".")) for model in models), f"{page}: {name}"


def _has(model: type[BaseModel], path: list[str]) -> bool:
    if path[0] not in model.model_fields:
        return False
    inner = _models_at(model, path[0])
    return len(path) == 1 or any(_has(each, path[1:]) for each in inner)


def _models_at(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """Return the models that the value of a key may have, if it is a mapping with its own keys."""
    if name not in model.model_fields:
        return []
    return list(_models_in(model.model_fields[name].annotation))


def _models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for each in get_args(kind):
        yield from _models_in(each)


class Asked(dict[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_that_is_named_is_read(page: str) -> None:
    environ = Asked()
    load_settings(ROOT / "config", environ)
    named = set(re.findall(r"\b(?:TWILIO|VOICEBRIDGE|OPENAI)_[A-Z_]+\b", PAGES[page]))
    assert named <= environ.names


@pytest.mark.parametrize("page", PAGES)
def test_every_page_that_is_linked_is_there(page: str) -> None:
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", PAGES[page]):
        assert ((ROOT / page).parent / link).exists(), link

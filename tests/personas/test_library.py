"""A changed file is taken up by the next call; a broken one is refused, and told once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from voicebridge.errors import ConfigError
from voicebridge.personas.library import CHECK_EVERY_S, PersonaLibrary
from voicebridge.personas.loader import PersonaBook


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "desk", "voice: marin")
    return tmp_path


def write(folder: Path, stem: str, more: str = "") -> None:
    """Write a file whose time is newer than that of any before it, however fast the test is."""
    file = folder / f"{stem}.yaml"
    file.write_text(f"name: {stem}\ninstructions: x\n{more}\n")
    newest = max(each.stat().st_mtime_ns for each in folder.rglob("*.yaml"))
    os.utime(file, ns=(newest + 1, newest + 1))


def later(library: PersonaLibrary, clock: Clock) -> PersonaBook:
    clock.now += CHECK_EVERY_S
    return library.current()


def test_a_changed_file_is_taken_up(folder: Path, clock: Clock, logged) -> None:
    library = PersonaLibrary(folder, clock=clock)
    before = library.current()
    write(folder, "desk", "voice: cedar")
    book = later(library, clock)
    assert (book["desk"].voice, library.book["desk"].voice) == ("cedar", "cedar")
    assert book.version_of("desk") != before.version_of("desk")
    assert before["desk"].voice == "marin"
    assert [line["event"] for line in logged] == ["personas_taken_up"]


def test_files_are_looked_at_once_a_second_at_most(folder: Path, clock: Clock) -> None:
    library = PersonaLibrary(folder, clock=clock)
    write(folder, "desk", "voice: cedar")
    clock.now += CHECK_EVERY_S / 2
    assert library.current()["desk"].voice == "marin"
    clock.now += CHECK_EVERY_S / 2
    assert library.current()["desk"].voice == "cedar"


def test_what_has_not_changed_is_not_read_again(folder: Path, clock: Clock) -> None:
    library = PersonaLibrary(folder, clock=clock)
    assert later(library, clock) is later(library, clock)


def test_a_broken_file_is_refused_told_once_and_the_old_one_stays(
    folder: Path, clock: Clock, logged
) -> None:
    library = PersonaLibrary(folder, clock=clock)
    write(folder, "desk", "voice: cedar\nsped: 1")
    for _ in range(3):
        assert later(library, clock)["desk"].voice == "marin"
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("personas_refused", "error")
    assert f"{folder}/desk.yaml:4: sped: unknown key" in str(line["error"])
    write(folder, "desk", "voice: cedar")
    assert later(library, clock)["desk"].voice == "cedar"


def test_files_come_and_go(folder: Path, clock: Clock) -> None:
    library = PersonaLibrary(folder, "desk", clock=clock)
    write(folder, "bar")
    assert sorted(later(library, clock)) == ["bar", "desk"]
    (folder / "bar.yaml").unlink()
    assert sorted(later(library, clock)) == ["desk"]
    (folder / "desk.yaml").unlink()
    assert sorted(later(library, clock)) == ["desk"]


def test_a_part_in_a_folder_below_and_the_rules_are_watched_too(folder: Path, clock: Clock) -> None:
    (folder / "parts").mkdir()
    write(folder / "parts", "loud", "voice: ash")
    (folder / "desk.yaml").write_text("extends: parts/loud.yaml\nname: desk\n")
    rules = folder / "routing" / "routing.yaml"
    library = PersonaLibrary(folder, routing=rules, clock=clock)
    assert library.current()["desk"].voice == "ash"
    write(folder / "parts", "loud", "voice: coral")
    assert later(library, clock)["desk"].voice == "coral"
    rules.parent.mkdir()
    rules.write_text("rules: [{persona: desk, caller: anonymous}]\n")
    assert len(later(library, clock).routing.rules) == 1


def test_what_the_bridge_cannot_use_is_refused_like_a_broken_file(
    folder: Path, clock: Clock, logged
) -> None:
    def accept(book: PersonaBook) -> None:
        if book["desk"].tools:
            raise ConfigError("no such tool", file="desk.yaml", key="tools[0]")

    library = PersonaLibrary(folder, accept=accept, clock=clock)
    write(folder, "desk", "tools: [fly]")
    assert later(library, clock)["desk"].tools == ()
    assert [line["error"] for line in logged] == ["desk.yaml: tools[0]: no such tool"]
    with pytest.raises(ConfigError, match="no such tool"):
        PersonaLibrary(folder, accept=accept, clock=clock)


def test_a_folder_that_cannot_be_used_is_refused_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no persona here"):
        PersonaLibrary(tmp_path)

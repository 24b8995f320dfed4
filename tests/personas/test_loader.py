"""A folder of persona files becomes a book that knows who answers which number."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebridge.errors import ConfigError
from voicebridge.personas.loader import load_personas

SHIPPED = Path(__file__).parents[2] / "config" / "personas"


def write(directory: Path, stem: str, more: str = "") -> None:
    (directory / f"{stem}.yaml").write_text(f"name: {stem}\ninstructions: Be brief.\n{more}")


def test_personas_are_found_by_the_stem_of_their_file(tmp_path: Path) -> None:
    write(tmp_path, "desk")
    write(tmp_path, "bar")
    book = load_personas(tmp_path, default="desk")
    assert sorted(book) == ["bar", "desk"]
    assert book["bar"].name == "bar"
    assert book.default.name == "desk"


def test_without_a_wish_the_first_by_name_is_the_default(tmp_path: Path) -> None:
    write(tmp_path, "desk")
    write(tmp_path, "bar")
    assert load_personas(tmp_path).default_name == "bar"


def test_the_called_number_chooses_the_persona_however_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, "bar")
    write(tmp_path, "desk", "numbers: [+1 (555) 010-0002]")
    book = load_personas(tmp_path, default="bar")
    assert book.name_for_number("+15550100002") == "desk"
    assert book.name_for_number("+1 555 010 0002") == "desk"
    assert book.name_for_number("+15550100009") == "bar"
    assert book.name_for_number("") == "bar"


def test_one_number_cannot_have_two_personas(tmp_path: Path) -> None:
    write(tmp_path, "bar", "numbers: [+15550100002]\n")
    write(tmp_path, "desk", "numbers:\n  - +15550100003\n  - '+1 555 0100002'\n")
    with pytest.raises(ConfigError, match=r"already answered by bar\.yaml") as caught:
        load_personas(tmp_path)
    assert caught.value.file == tmp_path / "desk.yaml"
    assert (caught.value.line, caught.value.key) == (5, "numbers[1]")


def test_the_errors_of_all_files_are_told_together(tmp_path: Path) -> None:
    write(tmp_path, "bar", "voic: x\n")
    write(tmp_path, "cellar")
    write(tmp_path, "desk", "spee: 1\nmode: y\n")
    with pytest.raises(ConfigError) as caught:
        load_personas(tmp_path)
    lines = str(caught.value).splitlines()
    assert ["bar.yaml:3" in lines[0], "desk.yaml:3" in lines[1], "desk.yaml:4" in lines[2]] == [
        True
    ] * 3
    assert (caught.value.file, caught.value.line) == (tmp_path / "bar.yaml", 3)


def test_a_folder_without_personas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no persona here"):
        load_personas(tmp_path)


def test_a_file_with_the_shorter_suffix_is_not_passed_over_silently(tmp_path: Path) -> None:
    write(tmp_path, "desk")
    (tmp_path / "bar.yml").touch()
    with pytest.raises(ConfigError, match=r"rename it to bar\.yaml"):
        load_personas(tmp_path)


def test_an_unknown_persona_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "front-desk")
    with pytest.raises(ConfigError, match="did you mean 'front-desk'") as caught:
        load_personas(tmp_path, default="frontdesk")
    assert caught.value.key == "default_persona"
    with pytest.raises(ConfigError, match="no persona 'zzz'"):
        load_personas(tmp_path).named("zzz")


def test_the_shipped_personas_load() -> None:
    book = load_personas(SHIPPED)
    assert list(book) == sorted(file.stem for file in SHIPPED.glob("*.yaml"))
    assert book.named("night-line").tools == ("hang_up",)

"""YAML becomes a model or a ConfigError that names place, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_lines import join_errors, load_model, place_of
from voicebridge.personas.yaml_nodes import MAX_BYTES, MAX_DEPTH

STRICT = ConfigDict(frozen=True, extra="forbid")


class Fixed(BaseModel):
    model_config = STRICT
    type: Literal["fixed"]
    wait_ms: int = Field(default=500, ge=0, le=9000)


class Clever(BaseModel):
    model_config = STRICT
    type: Literal["clever"]
    eagerness: Literal["low", "high"] = "low"


class Room(BaseModel):
    model_config = STRICT
    instructions: str = Field(min_length=1)
    turn: Annotated[Fixed | Clever, Field(discriminator="type")] | None = None
    numbers: tuple[str, ...] = ()
    facts: dict[str, str] = {}
    speed: float | None = Field(default=None, gt=0)
    loud: bool = False
    code: str = Field(default="a", pattern="^[a-z]+$")
    rooms: tuple[Fixed, ...] = ()


GOOD = """\
# A comment before everything.
instructions: |
  Be brief.
turn:
  type: fixed
  wait_ms: 700
numbers: [+15550100002, "+15550100003"]
facts:
  hours: 9:00
  open: yes
speed: 1
loud: true
rooms:
  - {type: fixed}
"""


@pytest.fixture
def fault_of(tmp_path: Path):
    """Load text that must be refused, and give the error back."""

    def load(text: str | bytes) -> ConfigError:
        file = tmp_path / "room.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as caught:
            load_model(file, Room)
        assert caught.value.file == file
        return caught.value

    return load


def test_a_good_file_becomes_the_model(tmp_path: Path) -> None:
    file = tmp_path / "room.yaml"
    file.write_text(GOOD)
    room = load_model(file, Room)
    assert room.instructions == "Be brief.\n"
    assert room.turn == Fixed(type="fixed", wait_ms=700)
    assert room.speed == 1.0
    assert room.loud is True
    assert room.rooms == (Fixed(type="fixed"),)


def test_telephone_numbers_hours_and_yes_stay_the_text_that_was_written(tmp_path: Path) -> None:
    file = tmp_path / "room.yaml"
    file.write_text(GOOD)
    room = load_model(file, Room)
    assert room.numbers == ("+15550100002", "+15550100003")
    assert room.facts == {"hours": "9:00", "open": "yes"}


def test_an_alias_repeats_its_anchor_and_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "room.yaml"
    file.write_bytes(b"\xef\xbb\xbfinstructions: &a hello\nfacts: {greeting: *a}\n")
    assert load_model(file, Room).facts == {"greeting": "hello"}


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        (
            "instruction: hi",
            1,
            "instruction",
            "unknown key 'instruction'; did you mean 'instructions'?",
        ),
        ("instructions: hi\nzzz: 1", 2, "zzz", "valid here: instructions, turn, numbers"),
        ("turn: {type: fixed}", 1, "instructions", "required, and missing"),
        ("instructions:", 1, "instructions", "expected text, got nothing"),
        ("instructions: ''", 1, "instructions", "expected some text, got ''"),
        ("instructions: 5", 1, "instructions", "expected text, got 5; put it in quotes"),
        (
            "instructions: a\nturn:\n  type: fixed\n  wait_ms: -1",
            4,
            "turn.wait_ms",
            "at least 0, got -1",
        ),
        (
            "instructions: a\nturn:\n  type: fixed\n  wait_ms: '5'",
            4,
            "turn.wait_ms",
            "whole number, got '5'",
        ),
        ("instructions: a\nturn:\n  type: fixed\n  wait_ms: true", 4, "turn.wait_ms", "got true"),
        (
            "instructions: a\nturn:\n  type: fixed\n  wait: 5",
            4,
            "turn.wait",
            "did you mean 'wait_ms'?",
        ),
        (
            "instructions: a\nturn:\n  type: fixd",
            3,
            "turn.type",
            "got 'fixd'; did you mean 'fixed'?",
        ),
        ("instructions: a\nturn:\n  wait_ms: 5", 2, "turn", "a key 'type'"),
        (
            "instructions: a\nturn:\n  type: clever\n  eagerness: hihg",
            4,
            "turn.eagerness",
            "'high'?",
        ),
        (
            "instructions: a\nturn:\n  type: clever\n  wait_ms: 5",
            4,
            "turn.wait_ms",
            "here: type, eag",
        ),
        ("instructions: a\nnumbers:\n  - x\n  - [y]", 4, "numbers[1]", "expected text"),
        ("instructions: a\nnumbers: x", 2, "numbers", "expected a list, got 'x'"),
        ("instructions: a\nfacts: [x]", 2, "facts", "expected a mapping (key: value), got a list"),
        (
            "instructions: a\nrooms:\n  - {type: fixed, wait_m: 1}",
            3,
            "rooms[0].wait_m",
            "'wait_ms'?",
        ),
        ("instructions: a\nspeed: 0", 2, "speed", "more than 0, got 0"),
        ("instructions: a\nloud: yes", 2, "loud", "expected true or false, got 'yes'"),
        ("instructions: a\ncode: A1", 2, "code", "should match pattern '^[a-z]+$', got 'A1'"),
        ("instructions: a\nspeed: 1\nspeed: 2", 3, "speed", "stands here twice; first in line 2"),
        ("instructions: a\n5: b", 2, None, "expected text as a key"),
        ("instructions: a\n[5]: b", 2, None, "expected text as a key"),
        ("instructions: a\nfacts: {<<: {a: b}}", 2, "facts", "merge keys"),
        ("instructions: !!python/name:os.system x", 1, "instructions", "the tag"),
        ("instructions: !!int x", 1, "instructions", "'x' is not a number"),
        ('instructions: "\\ud800"', 1, "instructions", "not valid Unicode"),
        ('instructions: a\n"\\ud800": b', 2, None, "not valid Unicode"),
    ],
)
def test_each_fault_names_its_line_key_and_remedy(fault_of, text, line, key, words) -> None:
    error = fault_of(text)
    assert (error.line, error.key) == (line, key)
    assert words in str(error)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "the file is empty; expected 'key: value' lines with: instructions, turn"),
        ("# only a comment\n", None, "the file is empty"),
        ("- a\n- b\n", None, "this is not a mapping"),
        ("just words", None, "this is not a mapping"),
        ("instructions: [a\n", 2, "not YAML"),
        ("instructions: a: b\n", 1, "not YAML: mapping values are not allowed here"),
        ("turn:\n\ttype: fixed\n", 2, "indent with spaces"),
        ("instructions: a\n---\ninstructions: b\n", 2, "expected one document"),
        ("instructions: *nobody\n", 1, "not YAML: found undefined alias"),
        ("instructions: a\nb: \x07\n", 2, "the character U+0007 is not allowed"),
        ('instructions: "\\UFFFFFFFF"', None, "out of range"),
        (b"instructions: ok\nfacts: {a: \xff}\n", 2, "is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), None, "is larger than 256 KiB"),
        ("instructions: " + "[" * (MAX_DEPTH + 1), 1, "nested deeper than"),
        ("instructions: &a [*a]\n", 1, "more than 20000 values"),
    ],
)
def test_what_is_no_usable_yaml_is_told_with_its_place(fault_of, text, line, words) -> None:
    error = fault_of(text)
    assert error.line == line
    assert words in str(error)


def test_a_few_lines_of_aliases_cannot_unfold_without_end(fault_of) -> None:
    layers = [f"  b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 12)]
    error = fault_of("instructions: a\nfacts:\n  b0: &b0 [x]\n" + "\n".join(layers))
    assert "more than 20000 values" in str(error)


def test_all_errors_of_a_file_are_told_at_once_in_the_order_of_the_lines(fault_of) -> None:
    error = fault_of("speed: fast\nspeed: 2\nloud: 1\nturn:\n  type: fixed\n  wait_ms: x\n")
    lines = str(error).splitlines()
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in lines] == ["1", "2", "3", "6"]
    assert "instructions: this key is required" in lines[0]
    assert "the key 'speed' stands here twice" in lines[1]
    assert (error.line, error.key) == (1, "instructions")
    assert "turn.wait_ms: expected a whole number, got 'x' (column 3)" in lines[3]


def test_of_very_many_errors_the_first_ones_are_told(fault_of) -> None:
    lines = str(fault_of("instructions: a\n" + "loud: true\n" * 100)).splitlines()
    assert len(lines) == 26
    assert lines[-1].endswith("room.yaml: and 74 more")


def test_a_long_value_is_shown_in_part_only(fault_of) -> None:
    error = fault_of(f"instructions: a\nloud: {'x' * 500}\n")
    assert "x" * 37 + "…" in str(error)
    assert "x" * 38 not in str(error)


def test_an_unknown_key_can_be_answered_with_advice(tmp_path: Path) -> None:
    file = tmp_path / "room.yaml"
    file.write_text("instructions: a\ninstruction: b\nsecret: c\n")
    with pytest.raises(ConfigError) as caught:
        load_model(file, Room, advise=lambda key: "keep it away" if key == "secret" else None)
    first, second = str(caught.value).splitlines()
    assert "did you mean 'instructions'?" in first
    assert second.endswith("room.yaml:3: secret: keep it away (column 1)")


@pytest.mark.parametrize(
    ("path", "words"),
    [("missing.yaml", "no such file"), (".", "directory"), ("a\0b", "not a path")],
)
def test_a_file_that_cannot_be_opened_is_a_config_error(tmp_path: Path, path, words) -> None:
    with pytest.raises(ConfigError, match=words):
        load_model(tmp_path / path, Room)


def test_the_line_of_a_key_can_be_looked_up(tmp_path: Path) -> None:
    file = tmp_path / "room.yaml"
    file.write_text(GOOD)
    assert place_of(file, "turn", "wait_ms") == 6
    assert place_of(file, "rooms", 0) == 14
    assert place_of(file, "nobody") is None


def test_errors_of_several_files_are_joined_under_the_first() -> None:
    joined = join_errors(
        [ConfigError("one", file="a.yaml", line=2, key="k"), ConfigError("two", file="b.yaml")]
    )
    assert str(joined) == "a.yaml:2: k: one\nb.yaml: two"
    assert (joined.file, joined.line, joined.key) == ("a.yaml", 2, "k")


PIECES = st.sampled_from(
    ["&a ", "*a", "[", "]", "{", "}", ": ", "- ", "? ", "| ", "> ", "\t", "\n", "  ", "'", '"', "#",
     "---\n", "...\n", "%YAML 9.9\n", "!!", "!x ", "<<: ", "\\x", '"\\U00110000"', "\x00", "\ufeff",
     "~", "1e999", "9" * 30, ".inf", "é", "\U0001f600", "!!binary ", "!!float "]
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Draw the good file with pieces of YAML's own grammar thrown into it."""
    text = draw(st.sampled_from([GOOD, GOOD[:60], "instructions: a\nfacts: &a {}\n"]))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12))
        text = text[:at] + draw(PIECES | st.text(max_size=3)) + text[at + cut :]
    return text.encode("utf-8", "surrogatepass")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=mutations() | st.binary(max_size=60))
@example(raw=b"%YAML " + b"9" * 5000 + b".1\n---\ninstructions: a\n")
@example(raw=b"instructions: !!float 1_0\n")
@example(raw=b"? [a, b]\n: c\n")
@example(raw=b"instructions: !!null x\n")
def test_whatever_the_file_says_only_a_model_or_a_config_error_comes_out(
    tmp_path: Path, raw: bytes
) -> None:
    file = tmp_path / "room.yaml"
    file.write_bytes(raw)
    outcome = outcome_of(file)
    assert isinstance(outcome, Room) or str(outcome).startswith(str(file))


def outcome_of(file: Path) -> Room | ConfigError:
    try:
        return load_model(file, Room)
    except ConfigError as error:
        return error

"""A persona is laid over the files that it extends, and each fault names the file it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebridge.errors import ConfigError
from voicebridge.personas.layers import MAX_FILES, LoadedPersona, load_persona
from voicebridge.personas.loader import load_personas
from voicebridge.personas.persona import Greeting, SemanticVad, ServerVad

HOUSE = """\
instructions: Be brief.
voice: cedar
tools: [hang_up, opening_hours]
greeting: Hello.
limits: {silence_s: 20, goodbye_s: 5}
turn_detection: {type: semantic_vad, eagerness: low}
business:
  name: Harbour
  hours: {monday: '9:00-12:00', friday: '9:00-16:00'}
facts: {parking: behind the house}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "_house.yaml").write_text(HOUSE)
    return tmp_path


def desk(folder: Path, text: str) -> LoadedPersona:
    (folder / "desk.yaml").write_text(text)
    return load_persona(folder / "desk.yaml")


def refusal(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        desk(folder, text)
    return caught.value


def test_what_is_not_said_comes_from_the_file_that_is_extended(folder: Path) -> None:
    persona = desk(folder, "extends: _house.yaml\nname: Desk\n").persona
    assert (persona.name, persona.instructions, persona.voice) == ("Desk", "Be brief.", "cedar")
    assert persona.turn_detection == SemanticVad(eagerness="low")


def test_mappings_are_merged_to_any_depth_and_lists_are_replaced(folder: Path) -> None:
    persona = desk(
        folder,
        "extends: _house.yaml\nname: Desk\nlimits: {silence_s: 9}\ntools: [hang_up]\n"
        "facts: {ferry: opposite}\nbusiness: {hours: {monday: closed}}\n",
    ).persona
    assert (persona.limits.silence_s, persona.limits.goodbye_s) == (9, 5)
    assert persona.tools == ("hang_up",)
    assert persona.facts == {"parking": "behind the house", "ferry": "opposite"}
    assert persona.business is not None
    assert persona.business.name == "Harbour"
    assert persona.business.hours_on("monday") is None
    assert persona.business.hours_on("friday") == ("9:00", "16:00")


@pytest.mark.parametrize(
    ("base", "over", "becomes"),
    [
        ("Hello.", "{instructions: Find your own words.}", "instructions='Find your own words.'"),
        ("{say: Hello., interruptible: false}", "{say: Hi.}", "interruptible=True"),
        ("{instructions: Greet.}", "Hi.", "say='Hi.'"),
        ("Hello.", "none", "None"),
    ],
)
def test_a_greeting_is_replaced_as_a_whole(
    tmp_path: Path, base: str, over: str, becomes: str
) -> None:
    (tmp_path / "_base.yaml").write_text(f"instructions: x\ngreeting: {base}\n")
    greeting = desk(tmp_path, f"extends: _base.yaml\nname: D\ngreeting: {over}\n").persona.greeting
    assert becomes in repr(greeting)


def test_another_type_replaces_the_whole_and_the_same_type_is_merged(folder: Path) -> None:
    text = "extends: _house.yaml\nname: D\nturn_detection: {type: server_vad, threshold: 0.7}\n"
    assert desk(folder, text).persona.turn_detection == ServerVad(threshold=0.7)
    (folder / "_loud.yaml").write_text("extends: _house.yaml\nturn_detection: {threshold: 0.7}\n")
    (folder / "_house.yaml").write_text(HOUSE.replace("type: semantic_vad, eagerness: low", ""))
    text = "extends: _loud.yaml\nname: D\nturn_detection: {silence_duration_ms: 300}\n"
    detected = desk(folder, text).persona.turn_detection
    assert detected == ServerVad(threshold=0.7, silence_duration_ms=300)


def test_of_several_files_a_later_one_lies_over_an_earlier_one(folder: Path) -> None:
    (folder / "_night.yaml").write_text("voice: marin\ngreeting: Good evening.\n")
    persona = desk(folder, "extends: [_house.yaml, _night.yaml]\nname: D\n").persona
    assert (persona.voice, persona.greeting) == ("marin", Greeting(say="Good evening."))
    assert persona.facts == {"parking": "behind the house"}


def test_a_part_may_lie_in_a_folder_of_its_own_and_extend_another(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "parts" / "loud.yaml").write_text("extends: ../_house.yaml\nvoice: ash\n")
    persona = desk(folder, "extends: parts/loud.yaml\nname: D\n").persona
    assert (persona.voice, persona.instructions) == ("ash", "Be brief.")


def test_a_fault_is_told_in_the_file_in_which_it_stands(folder: Path) -> None:
    (folder / "_house.yaml").write_text(HOUSE.replace("silence_s: 20", "silence_s: -1"))
    error = refusal(folder, "extends: _house.yaml\nname: Desk\nspeed: 9\n")
    first, second = str(error).splitlines()
    assert first.startswith(f"{folder}/desk.yaml:3: speed: expected at most 1.5")
    assert second.startswith(f"{folder}/_house.yaml:5: limits.silence_s: expected more than 0")
    assert (error.file, error.line) == (folder / "desk.yaml", 3)


def test_a_variable_is_checked_against_the_whole_and_told_where_it_stands(folder: Path) -> None:
    (folder / "_house.yaml").write_text(HOUSE.replace("Be brief.", "'{{ params.tenant }}'"))
    error = refusal(folder, "extends: _house.yaml\nname: Desk\n")
    assert str(error).startswith(f"{folder}/_house.yaml:1: instructions: the parameter 'tenant'")
    assert desk(folder, "extends: _house.yaml\nname: Desk\nparams: {tenant: us}\n").persona.params


@pytest.mark.parametrize(
    ("extends", "words"),
    [
        ("_hous.yaml", "there is no '_hous.yaml'; did you mean '_house.yaml'?"),
        ("_house.yml", "expected a file such as '_house.yaml'"),
        ("../secrets.yaml", "'../secrets.yaml' is not in the folder of the personas"),
        ("/etc/passwd.yaml", "is not in the folder"),
        ("5", "expected a file, or a list of 1 to 16 files, got 5"),
        ("[]", "expected a file, or a list"),
        ("[_house.yaml, {a: b}]", "expected a file, or a list"),
        ("null", "got nothing"),
        ('"a\\0.yaml"', "expected a file such as"),
        ("desk.yaml", "cannot extend itself: desk.yaml → desk.yaml"),
        ("_empty.yaml", "'_empty.yaml' is empty, or not a mapping"),
    ],
)
def test_what_cannot_be_extended_is_told_at_its_line(
    folder: Path, extends: str, words: str
) -> None:
    (folder / "_empty.yaml").touch()
    error = refusal(folder, f"name: Desk\nextends: {extends}\n")
    assert words in str(error)
    assert (error.file, error.line, error.key) == (folder / "desk.yaml", 2, "extends")


def test_a_circle_is_told_by_its_files(folder: Path) -> None:
    (folder / "_a.yaml").write_text("extends: [_house.yaml, _b.yaml]\n")
    (folder / "_b.yaml").write_text("extends: _a.yaml\n")
    error = refusal(folder, "extends: _a.yaml\nname: D\n")
    assert "cannot extend itself: _a.yaml → _b.yaml → _a.yaml" in str(error)
    assert (error.file, error.key) == (folder / "_b.yaml", "extends")


def test_a_chain_has_an_end(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 5):
        (tmp_path / f"_{number}.yaml").write_text(f"extends: [_{number + 1}.yaml]\n")
    assert f"more than {MAX_FILES} files" in str(refusal(tmp_path, "extends: _0.yaml\nname: D\n"))


def test_many_ways_to_the_same_file_cost_no_more_than_one(tmp_path: Path) -> None:
    for number in range(MAX_FILES - 2):
        bases = ", ".join([f"_{number + 1}.yaml"] * MAX_FILES)
        (tmp_path / f"_{number}.yaml").write_text(f"extends: [{bases}]\n")
    (tmp_path / f"_{MAX_FILES - 2}.yaml").write_text("instructions: deep down\n")
    assert desk(tmp_path, "extends: _0.yaml\nname: D\n").persona.instructions == "deep down"


def test_a_misspelt_extends_is_recognised(folder: Path) -> None:
    assert "did you mean 'extends'?" in str(refusal(folder, "extend: _house.yaml\nname: D\n"))


def test_the_version_is_that_of_all_files_and_of_nothing_else(folder: Path) -> None:
    text = "extends: _house.yaml\nname: Desk\n"
    first = desk(folder, text).version
    assert (len(first), desk(folder, text).version) == (12, first)
    (folder / "_other.yaml").write_text("voice: ash\n")
    assert desk(folder, text).version == first
    (folder / "_house.yaml").write_text(HOUSE + "# a note\n")
    second = desk(folder, text).version
    assert second != first
    assert desk(folder, text + "# a note\n").version not in {first, second}


def test_the_version_does_not_depend_on_where_the_folder_is(folder: Path, tmp_path: Path) -> None:
    text = "extends: _house.yaml\nname: Desk\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "_house.yaml").write_text(HOUSE)
    assert desk(folder, text).version == desk(elsewhere, text).version


def test_parts_are_no_personas_of_their_own(folder: Path) -> None:
    desk(folder, "extends: _house.yaml\nname: Desk\n")
    book = load_personas(folder)
    assert list(book) == ["desk"]
    assert book.version_of("desk") == load_persona(folder / "desk.yaml").version
    assert book.version_of("nobody") == ""

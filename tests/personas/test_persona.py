"""A persona file becomes a Persona, or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from voicebridge.errors import ConfigError
from voicebridge.personas.persona import Greeting, Limits, Persona, SemanticVad, ServerVad
from voicebridge.personas.yaml_lines import load_model

SHIPPED = Path(__file__).parents[2] / "config" / "personas"
MINIMAL = "name: Ann\ninstructions: Be brief.\n"


@pytest.fixture
def persona(tmp_path: Path):
    def load(more: str = "") -> Persona:
        file = tmp_path / "ann.yaml"
        file.write_text(MINIMAL + more)
        return load_model(file, Persona)

    return load


def test_a_name_and_instructions_are_enough(persona) -> None:
    ann = persona()
    assert (ann.voice, ann.model) == ("marin", "gpt-realtime-2.1")
    assert ann.transcription_model == "gpt-transcribe"
    assert (ann.greeting, ann.tools, ann.business, ann.speed) == (None, (), None, None)
    assert ann.turn_detection == ServerVad(
        threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500
    )
    assert ann.limits == Limits(max_duration_s=900, silence_s=30, tool_timeout_s=10, goodbye_s=8)


def test_a_persona_cannot_be_changed(persona) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        persona().voice = "cedar"


@pytest.mark.parametrize(
    ("written", "greeting"),
    [
        ("'Hello.'", Greeting(say="Hello.")),
        ("{say: Hello.}", Greeting(say="Hello.")),
        ("{instructions: Greet by the hour.}", Greeting(instructions="Greet by the hour.")),
        ("none", None),
        ("null", None),
    ],
)
def test_a_greeting_is_said_found_or_left_out(persona, written, greeting) -> None:
    assert persona(f"greeting: {written}\n").greeting == greeting


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{silence_duration_ms: 700}", ServerVad(silence_duration_ms=700)),
        ("{type: semantic_vad}", SemanticVad(eagerness="auto")),
        ("{type: semantic_vad, eagerness: low}", SemanticVad(eagerness="low")),
    ],
)
def test_turns_are_detected_by_loudness_or_by_meaning(persona, written, expected) -> None:
    assert persona(f"turn_detection: {written}\n").turn_detection == expected


@pytest.mark.parametrize(
    ("written", "key", "words"),
    [
        ("greeting: {}", "greeting", "either 'say' or 'instructions'"),
        ("greeting: {say: a, instructions: b}", "greeting", "either 'say' or 'instructions'"),
        ("greeting: {says: a}", "greeting.says", "did you mean 'say'?"),
        ("turn_detection: {type: server_vat}", "turn_detection.type", "did you mean 'server_vad'?"),
        ("turn_detection: {threshold: 1.1}", "turn_detection.threshold", "at most 1, got 1.1"),
        ("turn_detection: {prefix_padding_ms: 1.5}", "turn_detection.prefix_padding_ms", "whole"),
        ("turn_detection: {silence_ms: 1}", "turn_detection.silence_ms", "'silence_duration_ms'?"),
        ("turn_detection: {create_response: true}", "turn_detection.create_response", "unknown"),
        ("turn_detection: {type: semantic_vad, eagerness: hig}", "turn_detection.eagerness", "hi"),
        ("turn_detection: none", "turn_detection", "expected a mapping"),
        ("speed: 2", "speed", "at most 1.5"),
        ("language: english", "language", "such as 'en' or 'de', got 'english'"),
        ("noise_reduction: near-field", "noise_reduction", "did you mean 'near_field'?"),
        ("tools: hang_up", "tools", "expected a list"),
        ("numbers: ['555']", "numbers[0]", "such as '+15550100002', got '555'"),
        ("limits: {max_duration_s: 3601}", "limits.max_duration_s", "at most 3600"),
        ("limits: {silence_s: 0}", "limits.silence_s", "more than 0"),
        ("limits: {goodbye: 5}", "limits.goodbye", "did you mean 'goodbye_s'?"),
        ("facts: {floor: 2}", "facts.floor", "put it in quotes"),
        ("business: {name: B, time_zone: Europe/Berln}", "business.time_zone", "'Europe/Berlin'?"),
        ("business: {name: B, time_zone: /etc}", "business.time_zone", "expected a time zone"),
        ("business: {name: B, hours: {mondays: closed}}", "business.hours.mondays", "'monday'?"),
        ("business: {name: B, hours: {monday: 9-18}}", "business.hours.monday", "'9:00-18:00'"),
        ("business: {name: B, hours: {monday: '9:60-18:00'}}", "business.hours.monday", "no clock"),
        ("business: {name: B, hours: {monday: '9:00-24:01'}}", "business.hours.monday", "no clock"),
        ("business: {name: B, hours: {monday: '9:00-9:00'}}", "business.hours.monday", "all day"),
    ],
)  # fmt: skip
def test_what_a_persona_cannot_be_is_told_with_its_remedy(persona, written, key, words) -> None:
    with pytest.raises(ConfigError) as caught:
        persona(written)
    assert (caught.value.key, caught.value.line) == (key, 3)
    assert words in str(caught.value)


def test_hours_are_given_by_weekday_in_one_spelling(persona) -> None:
    business = persona(
        "business: {name: B, hours: "
        "{monday: '09:00 - 18:30', friday: 18:00\u20132:00, sunday: Closed}}"
    ).business
    assert business.hours_on("monday") == ("9:00", "18:30")
    assert business.hours_on("friday") == ("18:00", "2:00")
    assert business.hours_on("sunday") is None
    assert business.hours_on("tuesday") is None


def test_facts_are_added_to_what_the_model_is_told(persona) -> None:
    assert persona().session_instructions() == "Be brief."
    told = persona("facts: {parking: behind the house}").session_instructions()
    assert told == "Be brief.\n\nFacts you may tell:\n- parking: behind the house\n"


def test_the_shipped_front_desk_shows_every_key_of_a_persona() -> None:
    text = (SHIPPED / "front-desk.yaml").read_text()
    shown = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    assert shown == set(Persona.model_fields)


def test_the_shipped_front_desk_answers_for_harbour_dental() -> None:
    desk = load_model(SHIPPED / "front-desk.yaml", Persona)
    assert desk.business.name == "Harbour Dental"
    assert desk.business.hours_on("saturday") == ("9:00", "13:00")
    assert desk.tools == ("opening_hours", "hang_up")
    assert desk.greeting.say.startswith("Harbour Dental")

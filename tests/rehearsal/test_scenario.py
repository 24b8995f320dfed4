from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voicebridge.audio.format import silence
from voicebridge.errors import ConfigError
from voicebridge.rehearsal.scenario import AgentStep, CallerStep, load_scenario, standing_agent
from voicebridge.rehearsal.script import STANDING_LINE, Memory, Script
from voicebridge.rehearsal.vad import SpeechStarted, SpeechStopped, Vad, VadSettings
from voicebridge.rehearsal.voice import Voice

REHEARSALS = Path(__file__).parents[2] / "config" / "rehearsals"
SHIPPED = sorted(REHEARSALS.glob("*.yaml"))

MINIMAL = """\
name: tiny
title: A tiny call
persona: front-desk
caller:
  - say: Hello.
  - hang_up: true
    after_ms: 100
agent:
  - say: Hi.
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    return path


def test_a_scenario_is_read_with_its_defaults(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, MINIMAL))
    assert scenario.dialect == "ga"
    assert scenario.caller[0].after_agent_ms == 700
    assert scenario.caller[1] == CallerStep(hang_up=True, after_ms=100)
    assert scenario.script() == Script(agent=(AgentStep(say="Hi."),), caller_lines=("Hello.",))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_rehearsal_is_valid_and_named_after_its_file(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem
    assert (REHEARSALS.parent / "personas" / f"{scenario.persona}.yaml").is_file()


def test_a_dialect_is_the_scenarios() -> None:
    assert load_scenario(REHEARSALS / "beta-dialect.yaml").dialect == "beta"


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ("persona: front-desk", "persona: [a]", "persona", 3),
        ("title:", "titel:", "titel", 2),
        ("  - say: Hello.", "  - shout: Hello.", "shout", 5),
        ("after_ms: 100", "after_ms: -1", "after_ms", 7),
    ],
)
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, old: str, new: str, key: str, line: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scenario(written(tmp_path, MINIMAL.replace(old, new)))
    message = str(caught.value)
    assert f"tiny.yaml:{line}" in message
    assert key in message


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"say": "Hello", "press": "1"},
        {"say": "Hello", "hang_up": True},
        {"hang_up": False},
        {"press": "1 2"},
        {"press": ""},
        {"say": ""},
        {"say": "Hello", "after_ms": 1, "into_agent_ms": 1},
        {"say": "Hello", "after_ms": None},
        {"say": "Hello", "after_agent_ms": 120_001},
        "Hello",
    ],
)
def test_a_caller_does_one_thing_at_one_time(step: Any) -> None:
    with pytest.raises(ValidationError):
        CallerStep.model_validate(step)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"arguments": {"day": "monday"}, "say": "Hello"},
        {"call": "no spaces"},
        {"say": "you heard {hurd}"},
        {"say": "an open { brace"},
        {"say": "{output.}"},
    ],
)
def test_an_agent_says_or_calls_and_knows_its_placeholders(step: Any) -> None:
    with pytest.raises(ValidationError):
        AgentStep.model_validate(step)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_line_of_a_shipped_caller_is_heard_as_one_turn(path: Path) -> None:
    voice = Voice(variant="m3")
    for line in filter(None, load_scenario(path).script().caller_lines):
        audio = silence(8 * 500) + voice.speak(line).audio + silence(8 * 700)
        events = Vad(VadSettings()).feed(audio)
        assert [type(event) for event in events] == [SpeechStarted, SpeechStopped], line


def test_placeholders_are_filled_from_what_is_remembered() -> None:
    memory = Memory(heard="a photo", rest="Please bring a photo card.")
    memory.remember_output(json.dumps({"opens": "9:00", "seats": 3}))
    text = 'up to "{heard}": {rest} {output.opens} {output.seats} {output.closes}'
    assert memory.fill(text) == 'up to "a photo": Please bring a photo card. 9:00 3 unknown'


@pytest.mark.parametrize("output", ["no json", "[1]", '"text"', ""])
def test_an_output_that_is_no_object_has_no_keys(output: str) -> None:
    memory = Memory(output={"opens": "9:00"})
    memory.remember_output(output)
    assert memory.fill("{output.opens}") == "unknown"


def test_after_the_last_step_the_standing_line_is_said_for_ever() -> None:
    run = Script(agent=(AgentStep(say="Hi."),), caller_lines=("One.",)).begin()
    assert [run.next_response() for _ in range(3)] == [
        AgentStep(say="Hi."),
        STANDING_LINE,
        STANDING_LINE,
    ]
    assert [run.next_line() for _ in range(2)] == ["One.", None]


def test_two_calls_of_one_script_do_not_share_their_place() -> None:
    script = Script(agent=(AgentStep(say="Hi."),))
    script.begin().next_response()
    assert script.begin().next_response() == AgentStep(say="Hi.")


def test_the_standing_agent_greets_without_any_scenario() -> None:
    run = standing_agent().begin()
    assert "calling" in (run.next_response().say or "")
    assert run.next_line() is None


def test_a_cough_is_heard_by_the_model_as_speech_without_words(tmp_path: Path) -> None:
    text = MINIMAL.replace("  - hang_up", "  - cough_ms: 200\n    after_ms: 50\n  - hang_up")
    scenario = load_scenario(written(tmp_path, text))
    assert scenario.script().caller_lines == ("Hello.", "")


def test_a_response_may_hold_further_items() -> None:
    step = AgentStep(say="One.", also_say=("Two.", "And {rest}"))
    assert step.also_say == ("Two.", "And {rest}")
    with pytest.raises(ValidationError, match="stand in braces"):
        AgentStep(say="One.", also_say=("{two}",))
    with pytest.raises(ValidationError, match="also_say follows a say"):
        AgentStep(call="hang_up", also_say=("Two.",))

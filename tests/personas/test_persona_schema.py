"""The schema that editors use is that of the models, and agrees with what the loader takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from voicebridge.personas.layers import load_persona
from voicebridge.personas.persona import Persona
from voicebridge.personas.schema import persona_schema
from voicebridge.personas.yaml_nodes import read_document

CONFIG = Path(__file__).parents[2] / "config"
SCHEMA = CONFIG / "schema" / "persona.json"
PERSONAS = sorted((CONFIG / "personas").glob("*.yaml"))


def errors(text: str) -> list[str]:
    validator = Draft202012Validator(persona_schema())
    return [error.message for error in validator.iter_errors(read_document(text).data)]


def test_the_schema_that_is_shipped_is_current() -> None:
    remedy = "run: voicebridge personas schema > config/schema/persona.json"
    assert json.loads(SCHEMA.read_text()) == persona_schema(), remedy


def test_it_is_a_schema_and_describes_every_key() -> None:
    schema = persona_schema()
    Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {"extends", *Persona.model_fields}
    assert [name for name, each in schema["properties"].items() if not each["description"]] == []


@pytest.mark.parametrize("file", PERSONAS, ids=lambda file: file.stem)
def test_the_shipped_personas_refer_to_it_and_fulfil_it(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schema/persona.json"
    assert (file.parent / "../schema/persona.json").is_file()
    assert errors(file.read_text()) == []
    assert load_persona(file).persona


@pytest.mark.parametrize(
    "text",
    [
        "{name: a, instructions: b, greeting: Hello}",
        "{name: a, instructions: b, greeting: none}",
        "{name: a, instructions: b, greeting: {instructions: c}}",
        "{name: a, instructions: b, turn_detection: {threshold: 0.4}}",
        "{name: a, instructions: b, turn_detection: {type: semantic_vad, eagerness: low}}",
        "{extends: _house.yaml}",
        "{extends: [_house.yaml, _night.yaml], voice: ash}",
    ],
)
def test_what_the_loader_takes_an_editor_takes(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "{name: a}",
        "{name: a, instructions: b, sped: 1}",
        "{name: a, instructions: b, speed: 9}",
        "{name: a, instructions: b, greeting: 5}",
        "{name: a, instructions: b, limits: {silence_s: 0}}",
        "{name: a, instructions: b, noise_reduction: far}",
        "{extends: []}",
    ],
)
def test_what_the_loader_refuses_an_editor_refuses(text: str) -> None:
    assert errors(text) != []


def test_the_schema_is_plain_json_that_yaml_reads_alike() -> None:
    written: Any = yaml.safe_load(SCHEMA.read_text())
    assert written == json.loads(SCHEMA.read_text())

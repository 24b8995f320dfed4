"""The JSON Schema of a persona file, by which an editor completes and checks as one writes."""

from __future__ import annotations

import json
from typing import Any

from voicebridge.personas.layers import EXTENDS, MAX_FILES
from voicebridge.personas.persona import Persona

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def persona_schema() -> dict[str, Any]:
    """Return the schema of what a persona file may say.

    What is required may stand in a file that is extended; so either it is there, or ``extends``.
    """
    # Docstrings mark code by two signs, the Markdown that editors show by one.
    schema = json.loads(json.dumps(Persona.model_json_schema()).replace("``", "`"))
    required = schema.pop("required")
    extends = {
        "title": "Extends",
        "description": "The file, or files, that this one is laid over; a later one lies over an "
        "earlier one.",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_FILES},
        ],
    }
    properties = {EXTENDS: extends, **schema.pop("properties")}
    return {
        "$schema": DIALECT,
        "title": "voicebridge persona",
        **{key: value for key, value in schema.items() if key != "title"},
        "properties": properties,
        "anyOf": [{"required": required}, {"required": [EXTENDS]}],
    }

"""``voicebridge personas``: lists them, and prints the schema that editors check files by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from voicebridge.cli.table import aligned
from voicebridge.personas.loader import PersonaBook, load_personas
from voicebridge.personas.routing import ROUTING_FILE
from voicebridge.personas.schema import persona_schema
from voicebridge.settings import load_settings


def load_book(config_dir: Path) -> PersonaBook:
    """Load the personas of a configuration as ``serve`` does; raises ``ConfigError``."""
    default = load_settings(config_dir).default_persona
    return load_personas(config_dir / "personas", default, config_dir / ROUTING_FILE)


def run_list(config_dir: Path, out: TextIO) -> int:
    """Print a line for each persona; raises ``ConfigError`` for one that cannot be used."""
    book = load_book(config_dir)
    rows = [("NAME", "VERSION", "ANSWERS", "MODEL", "VOICE", "TOOLS")]
    for stem, persona in book.items():
        answers = [*persona.numbers, *(["default"] if stem == book.default_name else [])]
        routed = any(rule.persona == stem for rule in book.routing.rules)
        answers += ["by rule"] if routed else []
        rows.append(
            (
                stem,
                book.version_of(stem),
                ", ".join(answers) or "-",
                persona.model,
                persona.voice,
                ", ".join(persona.tools) or "-",
            )
        )
    print("\n".join(aligned(rows)), file=out)
    return 0


def run_schema(out: TextIO) -> int:
    """Print the JSON Schema of a persona file."""
    print(schema_text(), end="", file=out)
    return 0


def schema_text() -> str:
    """Write the schema as it is kept in config/schema/persona.json."""
    return json.dumps(persona_schema(), indent=2, ensure_ascii=False) + "\n"

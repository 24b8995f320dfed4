"""Invariant: a persona file of any bytes, laid over another of any bytes, is a ``ConfigError`` that
names a file of the folder, or a persona; and a persona that was read fills in its words for any
call, or says in a ``ConfigError`` that they become too long. Nothing else ever comes out.

Run long: ``python tests/fuzz/fuzz_personas.py 50000 [seed]``.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

from voicebridge.errors import ConfigError
from voicebridge.personas.context import PersonaContext
from voicebridge.personas.layers import load_persona

T = TypeVar("T")

HOUSE = """\
instructions: |
  You are on the telephone with {{ caller.number }}. It is {{ now }}.
  {% if now.hour < 12 and not caller.anonymous %}Good morning.{% endif %}
  Speak for {{ params.tenant | default("the house") | upper }}, at {{ facts["new address"] }}.
facts: {new address: 12 Quay Street}
params: {kind: "new"}
turn_detection: {type: semantic_vad, eagerness: low}
business: {name: Harbour, time_zone: Europe/Berlin, hours: {monday: "9:00-18:00"}}
"""
PERSONA = """\
# A persona with some of everything.
extends: _house.yaml
name: Desk
numbers: ["+15550100002", '+1 (555) 010-0003']
greeting:
  say: "Hello {{ 'again' if params.kind == 'old' else 'there' }}."
  interruptible: false
tools: [hang_up, "package.module:function"]
barge_in: {mode: pause, minimum_speech_ms: 120}
keys: {tool: function, pause_ms: 900}
limits: &limits
  max_duration_s: 900
  silence_s: 30.5
fallback: {say: "Call {{ business.name }}.", number: "+15550100009"}
keep: {transcript: false}
speed: 1.1
language: en
"""
ODD = (
    "{{", "}}", "{%", "%}", "{#", "{{ now }}", "{{ 9**9**9 }}", "{% for x in facts %}", "| upper",
    "{{ ''.__class__ }}", "{{ params.x }}", "null", "~", "true", "-1", "1e999", "0.0.0", "[]", "{}",
    "[", "]", "{", "}", ":", "- ", "*limits", "&a ", "!!python/object:os.system ", "<<: *limits",
    "---\n", "...\n", "\t", "\x00", "\x85", "\u2028", "\ufeff", "\ud7ff", "'", '"', "\\", "|", ">",
    "%YAML 9.9\n", "extends: desk.yaml\n", "extends: [_house.yaml, _house.yaml]\n", "? ", "#", "\r",
    "extends: ../../etc/passwd.yaml\n", '"\\ud800"', "x" * 3000, "9" * 5000, "\n", "  ", "\n  ",
)  # fmt: skip
MILD = ("", "", "a", "blue", " ", "5", "\u00e9", ".", ",", "{{ now }}", "{# no #}")
ODD_BYTES = (b"\xff", b"\xed\xa0\x80", b"\xfe\xff", b"\x00", b"\xc3")
EVIL = "</x>\n```{{ now }}{% if %}\u202e\x00" + "W" * 400
CALLS = tuple(
    PersonaContext(
        caller=caller,
        called="+15550100002",
        now=datetime(2026, 11, 22, hour, 30, tzinfo=UTC),
        params={"tenant": params, "kind": params},
    )
    for caller, hour, params in (("", 0, ""), ("+15550100001", 12, "old"), (EVIL, 23, EVIL))
)


def mutated(text: str, chance: Random) -> bytes:
    """Alter a file a little: in its lines, in its signs, in its bytes."""
    for _ in range(chance.choice((0, 1, 1, 2))):
        change = chance.random()
        lines = text.splitlines(keepends=True) or [""]
        at = chance.randrange(len(lines))
        if change < 0.15:
            del lines[at]
        elif change < 0.3:
            lines.insert(chance.randrange(len(lines)), lines[at])
        elif change < 0.45:
            name, colon, _ = lines[at].partition(":")
            lines[at] = f"{name}{colon} {chance.choice(ODD)}\n"
        text = "".join(lines)
        if change >= 0.45:
            place, length = chance.randrange(len(text) + 1), chance.choice((0, 0, 1, 3, 20))
            put = chance.choice(ODD) if chance.random() < 0.5 else chance.choice(MILD)
            text = text[:place] + put + text[place + length :]
    data = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        place = chance.randrange(len(data) + 1)
        data = data[:place] + chance.choice(ODD_BYTES) + data[place:]
    return data


def outcome(folder: Path) -> str:
    """Load the persona of a folder and have it speak; anything but the invariant is raised."""
    loaded = _or_refusal(lambda: load_persona(folder / "desk.yaml"))
    if isinstance(loaded, ConfigError):
        file = Path(loaded.file or "")
        assert file.parent == folder, loaded
        assert str(loaded).startswith(str(file)), loaded
        return "refused"
    assert len(loaded.version) == 12
    for call in CALLS:
        said = _or_refusal(partial(loaded.persona.rendered, call))
        if isinstance(said, ConfigError):
            assert "longer than" in str(said), said
            return "too long"
        said.session_instructions().encode()
        assert "```" not in said.instructions or "```" in loaded.persona.instructions
    return "spoken"


def _or_refusal(read: Callable[[], T]) -> T | ConfigError:
    try:
        return read()
    except ConfigError as error:
        return error


def run(count: int, seed: int, tell: Callable[[str], object]) -> Counter[str]:
    """Try so many mutated pairs of files and count the outcomes; tells the files that broke it."""
    chance, counts = Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        house, desk = folder / "_house.yaml", folder / "desk.yaml"
        for _ in range(count):
            both = chance.random() < 0.3
            house.write_bytes(mutated(HOUSE, chance) if both else HOUSE.encode())
            alone = not both and chance.random() < 0.2
            desk.write_bytes(PERSONA.encode() if alone else mutated(PERSONA, chance))
            if alone:
                house.write_bytes(mutated(HOUSE, chance))
            try:
                counts[outcome(folder)] += 1
            except BaseException:
                tell(f"broken by {house.read_bytes()!r} under {desk.read_bytes()!r}")
                raise
    return counts


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(dict(run(count, seed, print)))  # noqa: T201

"""Invariant: any bytes are read as an event, an ``UnknownEvent`` or a ``RealtimeProtocolError``,
in either dialect, and nothing else ever comes out; and an event that was read can be written, and
read again, and is then written the same.

Run long: ``python tests/fuzz/fuzz_realtime_events.py 200000 [seed]``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from voicebridge.realtime import (
    BETA,
    GA,
    Dialect,
    RealtimeProtocolError,
    UnknownEvent,
    marshal_server_event,
    unmarshal_server_event,
)

RECORDINGS = Path(__file__).parents[1] / "recorded" / "realtime"
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**400, 0.5, -0.0, "", "message", "function_call", "user",
    "audio/pcmu", "\x00", "\ud7ff", "x" * 5000, [], [[]], {}, {"type": None}, {"type": "message"},
    {"type": "message", "role": "assistant", "content": [{"type": "text"}, 7]}, {"audio": 3},
    {"audio": {"input": []}}, {"type": "function", "function": {"name": "f"}},
)  # fmt: skip
ODD_BYTES = (b"\x00", b"\xff", b"\xed\xa0\x80", b"NaN", b"1e999", b'"', b"\\u", b"{", b"]", b",")


def seeds() -> list[str]:
    """Give the recorded server messages."""
    return [
        line[2:]
        for path in sorted(RECORDINGS.glob("*.txt"))
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("S ")
    ]


def mutated(text: str, chance: Random) -> bytes:
    """Alter a message a little, in its structure, in its bytes, or in both."""
    if chance.random() < 0.8:
        value = json.loads(text)
        for _ in range(chance.randint(1, 3)):
            value = _altered(value, chance)
        text = json.dumps(value)
    data = text.encode("utf-8", "surrogatepass")
    return _torn(data, chance) if chance.random() < 0.3 else data


def _altered(value: Any, chance: Random) -> Any:
    """Replace, drop, add or rename something at a random depth."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        change = chance.random()
        if change < 0.5:
            return {**value, key: _altered(value[key], chance)}
        if change < 0.7:
            return {name: inner for name, inner in value.items() if name != key}
        if change < 0.8:
            return {**value, chance.choice(("new", "type", "audio", "voice", "id")): _odd(chance)}
        return {**value, key: _odd(chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        return [*value[:index], _altered(value[index], chance), *value[index + 1 :]]
    return _odd(chance)


def _odd(chance: Random) -> Any:
    return chance.choice(ODD_VALUES)


def _torn(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    change = chance.random()
    if change < 0.4:
        return data[:at]
    if change < 0.8:
        return data[:at] + chance.choice(ODD_BYTES) + data[at:]
    return data[:at] + chance.randbytes(4) + data[at + 4 :]


def outcome(data: bytes, dialect: Dialect) -> str:
    """Read some bytes and name what came of it; anything but the invariant is raised."""
    try:
        event = unmarshal_server_event(data, dialect)
    except RealtimeProtocolError:
        return "malformed"
    written = marshal_server_event(event, dialect)
    again = marshal_server_event(unmarshal_server_event(written, dialect), dialect)
    assert json.loads(again) == json.loads(written), written
    return "unknown" if isinstance(event, UnknownEvent) else "event"


def run(count: int, seed: int, tell: Callable[[str], object]) -> Counter[str]:
    """Try so many mutated messages and count the outcomes; tells the bytes that broke it."""
    chance, messages, counts = Random(seed), seeds(), Counter[str]()
    for _ in range(count):
        data = mutated(chance.choice(messages), chance)
        try:
            counts.update(outcome(data, dialect) for dialect in (GA, BETA))
        except BaseException:
            tell(f"broken by {data!r}")
            raise
    return counts


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(dict(run(count, seed, print)))  # noqa: T201

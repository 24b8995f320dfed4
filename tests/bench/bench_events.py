"""Microseconds per event: ours beside the ways there would have been, in one run.

``python tests/bench/bench_events.py [rounds]`` prints a table; nothing is asserted, since timing
decides no test. The figures that matter are those of the two events a call has fifty of a second:
the audio delta that comes and the append that goes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import repeat
from typing import Any, Literal

from openai._models import construct_type
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.input_audio_buffer_append_event import (
    InputAudioBufferAppendEvent as VendorAppend,
)
from pydantic import TypeAdapter
from pydantic_core import from_json

from voicebridge.realtime import (
    BETA,
    InputAudioBufferAppendEvent,
    marshal_client_event,
    unmarshal_server_event,
)
from voicebridge.realtime.conn import append_text
from voicebridge.realtime.server_events import ServerEventBase
from voicebridge.realtime.wire import FROM_WIRE, Int

RECORDINGS = Path(__file__).parents[1] / "recorded" / "realtime"
PAYLOAD = "f39/" * 54  # 160 bytes of mu-law, 20 ms, in base64
MODEL = "by a pydantic model"
UNION = "pydantic, vendor's union"
VENDOR: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


class DeltaModel(ServerEventBase):
    """The audio delta as it would be if it were a model like the other events."""

    type: Literal["response.output_audio.delta"] = "response.output_audio.delta"
    response_id: str
    item_id: str
    output_index: Int
    content_index: Int
    delta: str


def delta_by_model(text: str) -> DeltaModel:
    """Read it as the other events are read: find the class by the type, then validate."""
    raw = from_json(text, allow_inf_nan=False)
    model = {DeltaModel.model_fields["type"].default: DeltaModel}[raw["type"]]
    return model.model_validate(raw, context=FROM_WIRE)


def recorded(kind: str, name: str = "spoken_turn_ga") -> str:
    """Give the first recorded server message of a type."""
    for line in (RECORDINGS / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("S ") and json.loads(line[2:])["type"] == kind:
            return line[2:]
    raise LookupError(kind)


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """Take the best of five runs, which is the one least disturbed."""
    return min(repeat(work, number=rounds, repeat=5)) / rounds * 1e6


def reading(text: str) -> dict[str, Callable[[], object]]:
    """Give the ways to read a server event."""
    return {
        "ours": lambda: unmarshal_server_event(text),
        UNION: lambda: VENDOR.validate_json(text),
        "json, a dict": lambda: json.loads(text),
        "openai's parse": lambda: construct_type(type_=RealtimeServerEvent, value=json.loads(text)),
    }


def deltas(size_bytes: int) -> dict[str, Callable[[], object]]:
    """Give the ways to read an audio delta of some size."""
    audio = json.loads(recorded("response.output_audio.delta"))
    text = json.dumps({**audio, "delta": "f39/" * (size_bytes // 3)})
    return {**reading(text), MODEL: lambda: delta_by_model(text)}


def appends() -> dict[str, Callable[[], object]]:
    """Give the ways to write an append."""
    return {
        "ours": lambda: append_text(PAYLOAD),
        MODEL: lambda: marshal_client_event(InputAudioBufferAppendEvent(audio=PAYLOAD)),
        "json, a dict": lambda: json.dumps({"type": "input_audio_buffer.append", "audio": PAYLOAD}),
        "openai's parse": lambda: VendorAppend(
            type="input_audio_buffer.append", audio=PAYLOAD
        ).to_json(),
    }


def table(rounds: int) -> list[str]:
    """Measure everything and lay it out, microseconds per event."""
    beta = recorded("session.updated", "spoken_turn_beta")
    rows = {
        "read an audio delta, 160 bytes": deltas(160),
        "read an audio delta, 12,000 bytes": deltas(12_000),
        "write an append, 160 bytes": appends(),
        "read a transcript delta": reading(recorded("response.output_audio_transcript.delta")),
        "read speech_started": reading(recorded("input_audio_buffer.speech_started")),
        "read session.updated": reading(recorded("session.updated")),
        "read response.done": reading(recorded("response.done")),
        "read session.updated, beta": {"ours": lambda: unmarshal_server_event(beta, BETA)},
    }
    columns = ("ours", MODEL, UNION, "json, a dict", "openai's parse")
    lines = ["| event | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, ways in rows.items():
        figures = [
            f"{microseconds(ways[column], rounds):.1f}" if column in ways else ""
            for column in columns
        ]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return lines


if __name__ == "__main__":
    print("\n".join(table(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)))  # noqa: T201

"""What the agent did in a call besides speaking, and what the caller heard around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.session_log import SessionLog

SoundKind = Literal["words", "keys", "tone", "own"]


@dataclass(frozen=True, slots=True)
class Sound:
    """Something the caller heard.

    ``words``: of the model, as far as they were heard. ``keys``: telephone keys. ``tone``: steady
    tones, ``text`` their frequencies. ``own``: what the model did not say, such as a packaged
    phrase or a greeting from memory.
    """

    kind: SoundKind
    start_ms: int
    end_ms: int
    text: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "words":
                return f"“{self.text}”"
            case "keys":
                return f"keys {self.text}"
            case "tone":
                return f"a tone of {self.text} Hz"
        return "words of the bridge's own"


@dataclass(frozen=True, slots=True)
class Action:
    """A tool that the model called, by the carrier's clock.

    ``done_ms`` and ``output`` are None if the model was never told how it went. ``heard_before``
    is what the caller was hearing or had heard last when it was asked for, ``heard_after`` what
    began from then on until the next action.
    """

    name: str
    call_id: str
    arguments: str
    asked_ms: int
    done_ms: int | None
    output: str | None
    heard_before: str
    heard_after: tuple[str, ...]

    @property
    def took_ms(self) -> int | None:
        """Tell how long it took."""
        return None if self.done_ms is None else self.done_ms - self.asked_ms

    @property
    def answer(self) -> Any:
        """Give the output as data; text that is no JSON stays as it is."""
        try:
            return json.loads(self.output or "null")
        except ValueError:
            return self.output

    def as_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return {**asdict(self), "took_ms": self.took_ms}


def actions_of(phone: PhoneLog, model: SessionLog, sounds: Sequence[Sound]) -> tuple[Action, ...]:
    """List what the model asked for, in its order."""
    asked = [round(phone.carrier_ms_of(call.at)) for call in model.tool_calls]
    ends = [*asked[1:], phone.duration_ms + 1][: len(asked)]
    made = []
    for call, asked_ms, until_ms in zip(model.tool_calls, asked, ends, strict=True):
        done_at = call.output_at
        before = [sound for sound in sounds if sound.start_ms <= asked_ms]
        made.append(
            Action(
                name=call.name,
                call_id=call.call_id,
                arguments=call.arguments,
                asked_ms=asked_ms,
                done_ms=None if done_at is None else round(phone.carrier_ms_of(done_at)),
                output=call.output,
                heard_before=str(before[-1]) if before else "",
                heard_after=tuple(
                    str(sound) for sound in sounds if asked_ms < sound.start_ms <= until_ms
                ),
            )
        )
    return tuple(made)

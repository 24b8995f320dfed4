"""Behave as a caller: say, press or hang up when the moment has come, by ear alone.

Once every 20 ms the carrier asks the caller what to do. The answer comes from what the phone let
the caller hear, never from knowledge of the bridge. Acts are made beforehand, with their base64,
so that fifty callers at once cost next to nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from voicebridge.rehearsal.ear import Ear, is_audible
from voicebridge.rehearsal.noise import noise
from voicebridge.rehearsal.phone import FRAME_BYTES, FRAME_MS, SILENCE_FRAME

DEFAULT_AFTER_AGENT_MS = 700
KEY_FRAMES = 5
COUGHING = "(coughs)"


@dataclass(frozen=True, slots=True)
class Act:
    """What the caller does in 20 ms: always a frame of sound, sometimes more.

    ``begins`` is set in the first audible frame of something said, ``ends`` in the last.
    """

    audio: bytes
    payload: str
    digit: str = ""
    hang_up: bool = False
    begins: str | None = None
    ends: bool = False


QUIET = Act(SILENCE_FRAME, base64.b64encode(SILENCE_FRAME).decode())
HANG_UP = replace(QUIET, hang_up=True)


class SpeechLike(Protocol):
    """Speech as the local voice makes it: mu-law 8 kHz mono and the words it holds."""

    @property
    def text(self) -> str: ...
    @property
    def audio(self) -> bytes: ...


class StepLike(Protocol):
    """A step of the caller's script: one deed, one trigger; a trigger that is not meant is None."""

    @property
    def say(self) -> str | None: ...
    @property
    def cough_ms(self) -> int | None: ...
    @property
    def press(self) -> str | None: ...
    @property
    def hang_up(self) -> bool | None: ...
    @property
    def after_agent_ms(self) -> int | None: ...
    @property
    def into_agent_ms(self) -> int | None: ...
    @property
    def after_ms(self) -> int | None: ...


class CallerBehaviour(Protocol):
    """Whoever holds the telephone."""

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Decide what to do in the 20 ms from ``now_ms`` on, with all before that heard."""
        ...


@lru_cache(maxsize=256)
def acts_of(audio: bytes, text: str = "", pause_ms: int = 0) -> tuple[Act, ...]:
    """Cut audio into acts and note where speech begins and ends in it.

    With ``pause_ms`` a pause of that length parts one utterance from the next; with 0 all is one.
    """
    padded = audio + SILENCE_FRAME[: -len(audio) % FRAME_BYTES]
    frames = [padded[at : at + FRAME_BYTES] for at in range(0, len(padded), FRAME_BYTES)]
    acts = [Act(frame, base64.b64encode(frame).decode()) for frame in frames]
    for first, last in _spoken_runs(frames, pause_ms):
        acts[first] = replace(acts[first], begins=text)
        acts[last] = replace(acts[last], ends=True)
    return tuple(acts)


def _spoken_runs(frames: Sequence[bytes], pause_ms: int) -> list[tuple[int, int]]:
    audible = [index for index, frame in enumerate(frames) if is_audible(frame)]
    runs: list[tuple[int, int]] = []
    for index in audible:
        if runs and (not pause_ms or (index - runs[-1][1]) * FRAME_MS <= pause_ms):
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


class ScriptedCaller:
    """A caller who follows a script, each step at its trigger, then listens until the end."""

    def __init__(self, steps: Sequence[tuple[StepLike, SpeechLike | None]]) -> None:
        self._steps = [(step, _acts_for(step, speech)) for step, speech in steps]
        self._next_step = 0
        self._under_way: tuple[Act, ...] = ()
        self._position = 0
        self._began_ms = 0
        self._ended_ms = 0

    @property
    def done(self) -> bool:
        """Tell whether every step has been carried out."""
        return self._next_step == len(self._steps) and self._position >= len(self._under_way)

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Go on with the step under way, or begin the next if its moment has come."""
        if self._position >= len(self._under_way):
            if not self._due(ear, now_ms):
                return QUIET
            self._under_way = self._steps[self._next_step][1]
            self._next_step += 1
            self._position, self._began_ms = 0, now_ms
        act = self._under_way[self._position]
        self._position += 1
        self._ended_ms = now_ms + FRAME_MS
        return act

    def _due(self, ear: Ear, now_ms: int) -> bool:
        if self._next_step >= len(self._steps):
            return False
        step = self._steps[self._next_step][0]
        if step.after_ms is not None:
            return now_ms >= self._ended_ms + step.after_ms
        if step.into_agent_ms is not None:
            start_ms = ear.utterance_start_ms
            fresh = start_ms is not None and start_ms >= self._began_ms
            return fresh and now_ms - (start_ms or 0) >= step.into_agent_ms
        wait_ms = DEFAULT_AFTER_AGENT_MS if step.after_agent_ms is None else step.after_agent_ms
        answered = ear.last_audible_ms is not None and ear.last_audible_ms > self._ended_ms
        return answered and not ear.more_to_come and ear.silent_ms(now_ms) >= wait_ms


class WaitingCaller:
    """A caller who says nothing, and hangs up as soon as ``over`` is set."""

    def __init__(self) -> None:
        self.over = False

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Listen."""
        return HANG_UP if self.over else QUIET


class RecordedCaller:
    """A caller who is a recording, played from the first moment on whatever the agent does.

    When it is over and the agent has been silent for ``hang_up_after_ms``, the caller hangs up.
    """

    def __init__(self, audio: bytes, *, hang_up_after_ms: int = 5000, pause_ms: int = 500) -> None:
        self._acts = acts_of(audio, "", pause_ms)
        self._position = 0
        self._hang_up_after_ms = hang_up_after_ms
        self._over_ms = 0

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Play the next 20 ms of the recording; afterwards wait for a long silence."""
        if self._position < len(self._acts):
            self._position += 1
            self._over_ms = now_ms + FRAME_MS
            return self._acts[self._position - 1]
        quiet_since_ms = max(self._over_ms, ear.last_audible_ms or 0)
        if not ear.more_to_come and now_ms - quiet_since_ms >= self._hang_up_after_ms:
            return HANG_UP
        return QUIET


def _acts_for(step: StepLike, speech: SpeechLike | None) -> tuple[Act, ...]:
    if step.hang_up:
        return (HANG_UP,)
    if step.press:
        return tuple(act for digit in step.press for act in _key(digit))
    if step.cough_ms:
        return acts_of(noise(step.cough_ms), COUGHING)
    if speech is None:
        raise ValueError(f"a step that says {step.say!r} needs its speech")
    return acts_of(bytes(speech.audio), speech.text)


def _key(digit: str) -> tuple[Act, ...]:
    return (replace(QUIET, digit=digit), *[QUIET] * (KEY_FRAMES - 1))

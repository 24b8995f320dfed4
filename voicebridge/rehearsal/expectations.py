"""Hold what a rehearsal brought against what was expected of it: a line for each that differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from voicebridge.rehearsal.actions import Action, Sound
from voicebridge.rehearsal.expect import Expect, ExpectedAction, ExpectedRequest, ExpectedSound
from voicebridge.rehearsal.phone_log import PhoneLog

T = TypeVar("T")
Record = Mapping[str, Any]

TONE_WITHIN_HZ = 10
SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request that the carrier's REST API was sent, with its form fields."""

    method: str
    path: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.method} {self.path} ({told})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rehearsal brought; ``records`` are the bridge's own, one for each stream.

    ``told`` are the texts that the model was sent, ``colleague`` is what was said to one whom the
    bridge called, and what came of it; ``folder`` is where the bridge leaves files.
    """

    phone: PhoneLog
    actions: Sequence[Action]
    sounds: Sequence[Sound]
    told: Sequence[str]
    sessions: int
    records: Sequence[Record]
    requests: Sequence[ApiRequest]
    colleague: Sequence[str]
    folder: Path


def missed(expect: Expect, outcome: Outcome) -> list[str]:
    """Say in a line each what is not as expected, and what the record does not show."""
    return [
        *_missed_end(expect, outcome),
        *_missed_actions(expect, outcome),
        *_unrecorded(outcome),
        *_missed_words(expect, outcome),
        *_missed_outside(expect, outcome),
    ]


def _missed_end(expect: Expect, outcome: Outcome) -> Iterable[str]:
    ended = str(outcome.records[-1].get("ended")) if outcome.records else "not recorded"
    if expect.ended is not None and ended != expect.ended:
        yield f"expected the call to end as {expect.ended}, but it ended as {ended}"
    by = outcome.phone.ended_by
    if expect.hung_up_by is not None and by != expect.hung_up_by:
        yield f"expected the {expect.hung_up_by} to hang up, but it was the {by}"
    if expect.sessions is not None and outcome.sessions != expect.sessions:
        yield f"expected {expect.sessions} sessions of the model, but there were {outcome.sessions}"
    verbs = outcome.phone.verbs_after_stream
    if (verb := _first_missing(expect.then, verbs, lambda w, v: v.startswith(w))) is not None:
        yield f"expected “{verb}” after the stream, but there came: {_listed(verbs)}"


def _missed_actions(expect: Expect, outcome: Outcome) -> Iterable[str]:
    if expect.actions is None:
        return
    wanted, made = [a.name for a in expect.actions], [a.name for a in outcome.actions]
    if wanted != made:
        yield f"expected the actions {_listed(wanted)}, but there were: {_listed(made)}"
        return
    recorded = _recorded(outcome)
    for want, action in zip(expect.actions, outcome.actions, strict=True):
        if (ok := recorded.get(action.call_id, {}).get("ok")) not in {None, want.ok}:
            yield f"expected {want.name} to {_go(want.ok)}, but the record says: {_go(bool(ok))}"
        yield from _missed_answer(want, action)


def _missed_answer(want: ExpectedAction, action: Action) -> Iterable[str]:
    for key, value in want.answer.items():
        answer = action.answer
        given = answer.get(key) if isinstance(answer, dict) else None
        if given != value:
            yield f"expected {want.name} to answer {key}: {value}, but it gave: {action.output}"


def _go(ok: bool) -> str:
    return "go well" if ok else "fail"


def _recorded(outcome: Outcome) -> dict[str, Any]:
    tools = (tool for record in outcome.records for tool in record.get("tools", ()))
    return {tool["call_id"]: tool for tool in tools}


def _unrecorded(outcome: Outcome) -> Iterable[str]:
    """Make sure of every action that the bridge's record shows it, and when."""
    recorded = _recorded(outcome)
    for action in outcome.actions:
        if action.output is None:
            yield f"the model was never told how {action.name} went"
        elif not isinstance(recorded.get(action.call_id, {}).get("at_ms"), int):
            yield f"the record does not show the action {action.name}"


def _missed_words(expect: Expect, outcome: Outcome) -> Iterable[str]:
    sound = _first_missing(expect.heard, outcome.sounds, _is_heard)
    if sound is not None:
        told = _listed([str(heard) for heard in outcome.sounds])
        yield f"expected the caller to hear {_named(sound)}, but there was: {told}"
    for text in expect.told:
        if not any(text in told for told in outcome.told):
            yield f"expected the model to be told “{text}”"
    for text in expect.never_told:
        if any(text in told for told in outcome.told):
            yield f"expected the model not to be told “{text}”"


def _missed_outside(expect: Expect, outcome: Outcome) -> Iterable[str]:
    requests = outcome.requests
    if expect.requests is not None:
        missing = _first_missing(expect.requests, requests, _is_request)
        if missing is not None or len(requests) != len(expect.requests):
            told = _listed([str(request) for request in requests])
            wanted = _listed([request.path for request in expect.requests])
            yield f"expected the requests {wanted}, but the carrier was sent: {told}"
    heard = _first_missing(expect.colleague, outcome.colleague, lambda want, verb: want in verb)
    if heard is not None:
        yield f"expected a colleague to get “{heard}”, but it was: {_listed(outcome.colleague)}"
    for name, text in expect.files.items():
        found = [path.read_bytes() for path in outcome.folder.glob(name)]
        if not found:
            yield f"expected the file {name}, but it is not there"
        elif not any(text.encode() in content for content in found):
            yield f"expected “{text}” in the file {name}"


def _first_missing(
    wanted: Sequence[T], there: Sequence[Any], fits: Callable[[T, Any], bool]
) -> T | None:
    """Find the first that does not come in its order."""
    left = iter(there)
    return next((want for want in wanted if not any(fits(want, one) for one in left)), None)


def _is_heard(want: ExpectedSound, sound: Sound) -> bool:
    if want.words is not None:
        return sound.kind == "words" and want.words in sound.text
    if want.keys is not None:
        return sound.kind == "keys" and sound.text == want.keys
    if want.tone_hz is not None:
        tones = sound.text.split(", ") if sound.kind == "tone" else ()
        return any(abs(int(hz) - want.tone_hz) <= TONE_WITHIN_HZ for hz in tones)
    return sound.kind == "own"


def _named(want: ExpectedSound) -> str:
    if want.words is not None:
        return f"“{want.words}”"
    if want.keys is not None:
        return f"keys {want.keys}"
    return "words of the bridge's own" if want.own else f"a tone of {want.tone_hz} Hz"


def _is_request(want: ExpectedRequest, request: ApiRequest) -> bool:
    fields = request.fields
    return request.path.endswith(want.path) and all(
        value in fields.get(name, "") for name, value in want.fields.items()
    )


def _listed(texts: Sequence[str]) -> str:
    told = ", ".join(texts) or "none"
    return told if len(told) <= SHOWN else told[: SHOWN - 1] + "…"

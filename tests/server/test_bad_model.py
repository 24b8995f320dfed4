"""Whatever the model's side does, the caller hears something soon and the record says why."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from server_office import PHRASE_WITHIN_S, Office

from voicebridge.bridge.phrases import load_phrases
from voicebridge.rehearsal.faults import (
    ERROR_EVENT,
    MALFORMED_EVENT,
    MALFORMED_JSON,
    UNKNOWN_EVENT,
    Faults,
)

OpenOffice = Callable[..., Awaitable[Office]]

ONE_MOMENT, TROUBLE = load_phrases()["one_moment"], load_phrases()["trouble"]
NOBODY = "ws://127.0.0.1:1/v1/realtime"


def injected(*texts: str, after: str = "session.updated") -> Faults:
    return Faults(inject=texts, inject_after=after)


def audio_delta(delta: object) -> str:
    return json.dumps(
        {
            "type": "response.output_audio.delta",
            "event_id": "e",
            "response_id": "r",
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "delta": delta,
        }
    )


SURVIVED = {
    "an unknown event": (injected(UNKNOWN_EVENT), None),
    "an unknown event in mid-reply": (
        injected(UNKNOWN_EVENT, after="response.output_audio.delta"),
        None,
    ),
    "an unknown event before the session": (injected(UNKNOWN_EVENT, after="session.created"), None),
    "an error event": (injected(ERROR_EVENT), "server_error"),
    "an error before the session": (injected(ERROR_EVENT, after="session.created"), None),
    "an error that refers to nothing": (
        injected('{"type":"error","event_id":"e","error":{}}'),
        "the model refused",
    ),
    "half a JSON object": (injected(MALFORMED_JSON), "JSON"),
    "an event with a number for audio": (injected(MALFORMED_EVENT), "delta"),
    "audio that is not base64": (injected(audio_delta("~~~~")), "not base64"),
    "JSON that is nested too deep": (injected("[" * 100_000), "JSON"),
    "a list": (injected("[1]"), ""),
    "words with half a letter": (injected(audio_delta("\ud83d")), "JSON"),
    "half a JSON object before the session": (
        injected(MALFORMED_JSON, after="session.created"),
        None,
    ),
    "a response without a name": (injected('{"type":"response.done","event_id":"e"}'), ""),
    "formats left out": (Faults(session_updated="without_formats"), None),
    "a late greeting": (Faults(created_delay_s=0.05), None),
    "one failed response": (Faults(fail_response=1), "response failed"),
}
"""What a call goes on after, and what its record says of it ("" for anything)."""


@pytest.mark.parametrize("name", SURVIVED)
async def test_the_call_goes_on_after(open_office: OpenOffice, name: str) -> None:
    faults, problem = SURVIVED[name]
    office = await open_office(faults=faults)
    async with office.call() as line:
        await line.is_answered()
        assert TROUBLE not in line.heard
        await line.hang_up()
        record = await office.ended(line)
    assert record["ended"] == "caller_hung_up"
    problems = [told["what"] for told in record["problems"]]
    assert len(problems) == (problem is not None)
    assert all(str(problem) in told for told in problems)
    await office.model.all_over()
    assert len(office.model.sessions) == 1


@pytest.mark.parametrize(
    ("faults", "reason", "why", "sessions"),
    [
        pytest.param(Faults(refuse_status=401), "model_unreachable", "401", 0, id="401"),
        pytest.param(
            Faults(refuse_status=429, retry_after_s=3), "model_unreachable", "429", 0, id="429"
        ),
        pytest.param(Faults(refuse_status=503), "model_unreachable", "503", 0, id="503"),
        pytest.param(
            Faults(hang_handshake=True), "model_unreachable", "within 0.3 s", 0, id="no handshake"
        ),
        pytest.param(
            Faults(created_delay_s=60), "model_unreachable", "within 0.3 s", 1, id="no greeting"
        ),
        pytest.param(
            Faults(session_updated="never"), "model_unreachable", "within 0.3 s", 1, id="no session"
        ),
        pytest.param(
            Faults(session_updated="mismatch"), "model_mismatch", "g711_ulaw", 1, id="mismatch"
        ),
    ],
)
async def test_a_caller_whose_model_cannot_be_had_is_told_so(
    open_office: OpenOffice, faults: Faults, reason: str, why: str, sessions: int
) -> None:
    office = await open_office(faults=faults, connect_timeout_s=0.3)
    async with office.call(greeted=False) as line:
        await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
        await line.until_closed()
        assert bytes(line.heard) == TROUBLE
        record = await office.ended(line)
        assert record["ended"] == reason
        assert len(record["problems"]) == 1
        assert why in record["problems"][0]["what"]
        after = await office.after_stream(line)
        assert ("<Say>" in after, "<Hangup" in after) == (False, True)  # it was said already
    await office.model.all_over()
    assert len(office.model.sessions) == sessions


async def test_a_caller_is_told_when_nobody_listens_at_the_models_address(
    open_office: OpenOffice,
) -> None:
    office = await open_office(at=NOBODY)
    async with office.call(greeted=False) as line:
        await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
        await line.until_closed()
        assert (await office.ended(line))["ended"] == "model_unreachable"
        await office.after_stream(line)


async def test_a_caller_who_must_wait_for_the_model_is_asked_for_a_moment(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.call.call.PATIENCE_S", 0.05)
    office = await open_office(faults=Faults(hang_handshake=True), connect_timeout_s=0.3)
    async with office.call(greeted=False) as line:
        await line.until_heard(ONE_MOMENT, PHRASE_WITHIN_S)
        await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
        await line.until_closed()
        assert bytes(line.heard) == ONE_MOMENT + TROUBLE
        await office.after_stream(line)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011], ids=str)
async def test_a_model_that_drops_in_mid_call_is_announced(
    open_office: OpenOffice, code: int | None
) -> None:
    office = await open_office(faults=Faults(drop_after_appends=1, drop_code=code))
    async with office.call() as line:
        await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
        await line.until_closed()
        assert line.heard.endswith(TROUBLE)
        assert line.heard.count(TROUBLE) == 1
        record = await office.ended(line)
        assert record["ended"] == "model_lost"
        problem = record["problems"][0]["what"]
        assert ("without a closing handshake" if code is None else str(code)) in problem
        assert "<Say>" not in await office.after_stream(line)
    await office.model.all_over()


FAILED_AGAIN = json.dumps(
    {
        "type": "response.done",
        "event_id": "e",
        "response": {
            "id": "resp_again",
            "object": "realtime.response",
            "status": "failed",
            "status_details": {
                "type": "failed",
                "error": {"type": "server_error", "code": "overloaded", "message": "Too busy."},
            },
            "output": [],
        },
    }
)
QUOTA = json.dumps(
    {
        "type": "error",
        "event_id": "e",
        "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "Paid?"},
    }
)
EXPIRED = QUOTA.replace("insufficient_quota", "session_expired")


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        pytest.param(
            replace(injected(FAILED_AGAIN, after="response.done"), fail_response=0),
            "overloaded: Too busy.",
            id="two responses fail",
        ),
        pytest.param(injected(QUOTA), "insufficient_quota: Paid?", id="the quota is used up"),
        pytest.param(injected(EXPIRED), "session_expired: Paid?", id="the session has expired"),
    ],
)
async def test_a_model_that_gives_nothing_more_is_announced(
    open_office: OpenOffice, faults: Faults, why: str
) -> None:
    office = await open_office(faults=faults)
    async with office.call(greeted=False) as line:
        await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
        await line.until_closed()
        record = await office.ended(line)
        assert record["ended"] == "model_lost"
        assert why in record["problems"][-1]["what"]
        assert "<Say>" not in await office.after_stream(line)
    await office.model.all_over()


async def test_a_model_that_fails_one_call_does_not_touch_another(open_office: OpenOffice) -> None:
    office = await open_office()
    async with office.call() as neighbour:
        office.model.faults = Faults(refuse_status=429)
        async with office.call(greeted=False) as line:
            await line.until_heard(TROUBLE, PHRASE_WITHIN_S)
            await line.until_closed()
            await office.after_stream(line)
        await office.ends_well(neighbour)
    await office.model.all_over()


async def test_a_caller_who_hangs_up_while_the_model_is_dialled_leaves_nothing_behind(
    open_office: OpenOffice,
) -> None:
    office = await open_office(faults=Faults(session_updated="never"))
    async with office.call(greeted=False) as line:
        await line.hang_up()
        record = await office.ended(line)
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
    await office.model.all_over()

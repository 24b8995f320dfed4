"""What the carrier tells of a call besides its stream is kept: signed, once, in its order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from server_office import Office, post

from voicebridge.records.status import REMEMBERED, Status, StatusBook

OpenOffice = Callable[..., Awaitable[Office]]


async def tell(office: Office, number: int, status: str, **more: str) -> int:
    code, _ = await office.post(
        "/twilio/status", CallSid="CA1", CallStatus=status, SequenceNumber=str(number), **more
    )
    return code


async def test_call_statuses_are_kept_once_and_read_in_order(
    open_office: OpenOffice, tmp_path: Path
) -> None:
    office = await open_office()
    for number, status in ((2, "completed"), (0, "ringing"), (2, "completed"), (1, "in-progress")):
        assert await tell(office, number, status, From="+15550100001", CallDuration="7") == 204
    kept = StatusBook(tmp_path).of("CA1")
    assert [line["CallStatus"] for line in kept] == ["ringing", "in-progress", "completed"]
    assert kept[2]["CallDuration"] == "7"
    assert "+15550100001" not in (tmp_path / "CA1" / "status.jsonl").read_text()
    assert len((tmp_path / "CA1" / "status.jsonl").read_text().splitlines()) == 3


async def test_stream_statuses_are_kept_by_stream_and_event(
    open_office: OpenOffice, tmp_path: Path
) -> None:
    office = await open_office()
    for event in ("stream-stopped", "stream-error", "stream-started", "stream-started"):
        told = {"StreamSid": "MZ1", "StreamEvent": event, "StreamError": "31921 x" * 100}
        code, _ = await office.post("/twilio/stream-status", CallSid="CA1", **told)
        assert code == 204
    kept = StatusBook(tmp_path).of("CA1")
    events = [line["StreamEvent"] for line in kept]
    assert events == ["stream-started", "stream-error", "stream-stopped"]
    assert len(kept[1]["StreamError"]) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/twilio/status",
        "/twilio/stream-status",
        "/twilio/dial-done",
        "/twilio/colleague?bridge.call=CA1",
        "/twilio/colleague-status?bridge.call=CA1",
    ],
)
async def test_a_callback_that_the_carrier_did_not_sign_is_refused(
    open_office: OpenOffice, tmp_path: Path, path: str
) -> None:
    office = await open_office()
    code, _ = await post(office.bridge.url + path, [("CallSid", "CA1")], {})
    assert code == 403
    assert StatusBook(tmp_path).of("CA1") == []


async def test_a_callback_that_names_no_call_is_refused(open_office: OpenOffice) -> None:
    office = await open_office()
    assert (await office.post("/twilio/status", CallStatus="ringing"))[0] == 400


async def test_the_stream_names_where_its_status_goes(open_office: OpenOffice) -> None:
    office = await open_office()
    _, twiml = await office.post("/twilio/voice", CallSid="CA1")
    assert f'statusCallback="{office.bridge.url}/twilio/stream-status"' in twiml


def test_another_process_knows_what_was_kept(tmp_path: Path) -> None:
    status = Status("call", "1", 1, {"CallStatus": "ringing"})
    assert StatusBook(tmp_path).add("CA/../1", status)
    assert not StatusBook(tmp_path).add("CA/../1", status)
    assert [path.name for path in tmp_path.iterdir()] == ["CA____1"]


def test_without_a_folder_a_repetition_is_still_known_for_a_while() -> None:
    book, status = StatusBook(None), Status("call", "0", 0, {})
    assert book.add("CA1", status)
    assert not book.add("CA1", status)
    for number in range(REMEMBERED):
        book.add("CA1", Status("stream", str(number), 0, {}))
    assert book.add("CA1", status)
    assert book.of("CA1") == []

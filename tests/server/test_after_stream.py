"""What a caller gets when the stream is over: by how it ended, and by what came of a dial."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from server_office import AUTH_TOKEN, CALLED, CALLER, Office

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.personas.persona import Fallback
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.server.after import APOLOGY, MOST_AGAIN
from voicebridge.server.visit import Visit

OpenOffice = Callable[..., Awaitable[Office]]

AFTER = "/twilio/after-stream?bridge.persona=front-desk"
OVER = {
    EndReason.CALLER_HUNG_UP,
    EndReason.AGENT_HUNG_UP,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
    EndReason.SHUTDOWN,
    EndReason.SPEND_LIMIT,
    EndReason.VOICEMAIL,
    EndReason.MODEL_LOST,
    EndReason.MODEL_MISMATCH,
    EndReason.MODEL_UNREACHABLE,
}
AGAIN = {EndReason.CARRIER_LOST, EndReason.BRIDGE_FAULT, EndReason.TRANSFERRED, None}
"""A transfer for which nobody waits any more leads back to the agent as well."""


async def ask(office: Office, path: str, **form: str) -> ElementTree.Element:
    """Ask as the carrier does and read the document."""
    form = {"CallSid": "CA1", "From": CALLER, "To": CALLED} | form
    status, twiml = await office.post(path, **form)
    assert status == 200
    return ElementTree.fromstring(twiml)


def verbs(document: ElementTree.Element) -> list[str]:
    return [verb.tag for verb in document]


def next_url(document: ElementTree.Element, name: str = "Redirect") -> str:
    verb = document.find(name)
    assert verb is not None
    return (verb.text or "") if name == "Redirect" else verb.attrib["action"]


def path_of(office: Office, url: str) -> str:
    assert url.startswith(office.bridge.url)
    return url.removeprefix(office.bridge.url)


def give_fallback(office: Office, monkeypatch: pytest.MonkeyPatch, **fallback: Any) -> None:
    book = office.bridge.switchboard.personas
    persona = book["front-desk"].model_copy(update={"fallback": Fallback(**fallback)})
    monkeypatch.setitem(book._personas, "front-desk", persona)


@pytest.mark.parametrize("reason", [*EndReason, None], ids=str)
async def test_what_comes_next_follows_from_how_the_stream_ended(
    open_office: OpenOffice, reason: EndReason | None
) -> None:
    office = await open_office()
    if reason is not None:
        office.bridge.switchboard.calls.closed("CA1", reason)
    document = await ask(office, AFTER)
    if reason in AGAIN:
        assert verbs(document) == ["Connect", "Redirect"]
    elif reason in OVER:
        assert verbs(document) == ["Hangup"]
    else:  # a carrier's fault
        assert verbs(document) == ["Say", "Hangup"]


async def test_a_stranger_to_our_urls_is_not_connected(open_office: OpenOffice) -> None:
    office = await open_office()
    assert verbs(await ask(office, "/twilio/after-stream")) == ["Say", "Hangup"]
    assert office.model.sessions == []


async def test_a_caller_who_was_transferred_is_connected_to_the_number(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    async with office.call() as line:
        runner = office.bridge.switchboard.calls.live(line.call_id)
        assert runner is not None
        runner.feed(ev.TransferRequested("c1", "+15550100099"))
        runner.feed(ev.StreamEnded(EndReason.CARRIER_LOST))  # as if the last word were heard
        await line.until_closed()
        await office.ended(line)
        document = await ask(office, line.after_url, CallSid=line.call_id)
    dial = document[0]
    assert (dial.tag, dial.attrib["callerId"], dial.attrib["timeout"]) == ("Dial", CALLED, "20")
    assert [(noun.tag, noun.text) for noun in dial] == [("Number", "+15550100099")]
    done = path_of(office, next_url(document, "Dial"))
    assert done.startswith("/twilio/dial-done?")
    assert verbs(await ask(office, done, DialCallStatus="completed")) == ["Hangup"]


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
async def test_a_caller_whom_nobody_took_comes_back_to_an_agent_who_knows(
    open_office: OpenOffice, status: str
) -> None:
    office = await open_office()
    office.bridge.switchboard.calls.closed("CA1", EndReason.TRANSFERRED, dial_next="+15550100099")
    document = await ask(office, AFTER)
    done = path_of(office, next_url(document, "Dial"))
    document = await ask(office, done, DialCallStatus=status)
    assert verbs(document) == ["Connect", "Redirect"]
    token = document.find("Connect/Stream/Parameter")
    assert token is not None
    expected = office.bridge.switchboard.tokens.spend(token.attrib["value"], "CA1")
    assert expected is not None
    assert "nobody took the call" in (expected.greeting or "")
    assert expected.persona == "front-desk"


async def test_a_caller_whose_stream_broke_off_comes_back_to_an_agent_who_says_so(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    calls = office.bridge.switchboard.calls
    async with office.call() as line:
        runner = calls.live(line.call_id)
        assert runner is not None
        runner.feed(ev.StreamEnded(EndReason.CARRIER_LOST))
        first = await office.ended(line)
        document = ElementTree.fromstring(await office.after_stream(line))
    token = document.find("Connect/Stream/Parameter")
    assert token is not None
    async with RawStream(office.media_url, auth_token=AUTH_TOKEN) as raw:
        raw.writer.call_sid = line.call_id
        await raw.begin(token=token.attrib["value"])
        assert await raw.read() is not None
        again = calls.live(line.call_id)
        assert again is not None
        assert again is not runner
        assert "broke off" in str(again._call._config.greeting)
    folder = await office.shelf.folder_of(line.call_id, "record-2.json")
    assert await office.shelf.record_of(line.call_id) == first
    assert json.loads((folder / "record-2.json").read_text())["ended"] == "carrier_lost"
    assert (folder / "transcript-2.md").exists()
    await office.model.all_over()


async def test_a_stream_that_breaks_off_again_and_again_ends_in_an_apology(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    office.bridge.switchboard.calls.closed("CA1", EndReason.CARRIER_LOST)
    path = AFTER + "&tenant=a%26b"
    for _ in range(MOST_AGAIN):
        document = await ask(office, path)
        assert verbs(document) == ["Connect", "Redirect"]
        path = path_of(office, next_url(document))
        assert parse_qs(urlsplit(path).query)["tenant"] == ["a&b"]
    document = await ask(office, path)
    assert verbs(document) == ["Say", "Hangup"]
    assert document[0].text == APOLOGY


async def test_the_agents_fallback_is_a_number_that_is_dialled(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    give_fallback(office, monkeypatch, say="I connect you.", number="+15550100055")
    office.bridge.switchboard.calls.closed("CA1", EndReason.MODEL_UNREACHABLE)
    document = await ask(office, AFTER)
    assert verbs(document) == ["Say", "Dial"]
    done = path_of(office, next_url(document, "Dial"))
    assert verbs(await ask(office, done, DialCallStatus="busy")) == ["Say", "Hangup"]


async def test_the_agents_fallback_may_be_words(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    give_fallback(office, monkeypatch, say="Please write to us.")
    office.bridge.switchboard.calls.closed("CA1", EndReason.CARRIER_FAULT)
    document = await ask(office, AFTER)
    assert [verb.text for verb in document] == ["Please write to us.", None]


async def test_a_carrier_that_asks_ends_a_stream_that_we_believe_in(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    async with office.call() as line:
        assert "<Connect>" in await office.after_stream(line)
        assert (await office.ended(line))["ended"] == "carrier_lost"


def test_a_visit_comes_back_by_its_url() -> None:
    visit = Visit("CA1", "+1", "+2", {"tenant": "a b&c"}, "front-desk", 1, "transfer")
    query = {name: values[0] for name, values in parse_qs(urlsplit(visit.url("/x")).query).items()}
    assert Visit.read({"CallSid": "CA1", "From": "+1", "To": "+2"}, query) == visit
    assert unescape(Visit("CA1", "+1", "+2", {}).url("/x")) == "/x"


def test_of_an_outbound_call_the_caller_is_the_one_who_was_called() -> None:
    visit = Visit.read({"From": "+1", "To": "+2", "Direction": "outbound-api"}, {})
    assert (visit.caller, visit.called) == ("+2", "+1")


@pytest.mark.parametrize("again", ["-1", "x", "99999", "²"])
def test_nonsense_in_a_url_counts_as_nothing(again: str) -> None:
    assert Visit.read({}, {"bridge.again": again}).again == 0

"""Who answers is decided by the rules, in real calls, as ``voicebridge route`` explains it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from front_calls import WITHIN_S, all_of, carrier_of, hangs_up, is_clean
from server_office import AUTH_TOKEN, Office, Shelf, WatchedModel

from voicebridge.cli.route import RouteQuestion, run_route
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.server.running import load_switchboard, running_bridge
from voicebridge.settings import load_settings

BERLIN = ZoneInfo("Europe/Berlin")
DAY = datetime(2026, 11, 23, 11, 0, tzinfo=BERLIN)
NIGHT = datetime(2026, 11, 24, 2, 30, tzinfo=BERLIN)
OURS, SECOND, THIRD = "+15550100002", "+15550100003", "+15550100004"
FRIEND, STRANGER = "+493012345678", "+15550100001"

RULES = """\
time_zone: Europe/Berlin
rules:
  - {name: a tenant, params: {tenant: acme}, persona: tenant}
  - {name: friends, caller: ["+4930*", "+15550100077"], persona: friend}
  - {name: who says nothing, caller: anonymous, called: "+15550100003", persona: silent}
  - {name: at night, called: "+15550100003", hours: "18:00-8:00", persona: night}
  - {name: tuesdays, called: "+15550100002", weekdays: [tuesday], persona: tuesday}
"""
PERSONAS = dict.fromkeys(("desk", "tenant", "friend", "silent", "night", "tuesday"), "")
PERSONAS |= {"third": f'numbers: ["{THIRD}"]\n'}

BY_DAY = [
    (OURS, STRANGER, "", "desk"),
    (OURS, STRANGER, "?tenant=acme", "tenant"),
    (OURS, STRANGER, "?tenant=other", "desk"),
    (OURS, FRIEND, "", "friend"),
    (OURS, FRIEND, "?tenant=acme", "tenant"),
    (SECOND, STRANGER, "", "desk"),
    (SECOND, "anonymous", "", "silent"),
    (SECOND, "+266696687", "", "silent"),
    (THIRD, STRANGER, "", "third"),
]
BY_NIGHT = [
    (SECOND, STRANGER, "", "night"),
    (SECOND, "anonymous", "", "silent"),
    (OURS, STRANGER, "", "tuesday"),
    (THIRD, STRANGER, "", "third"),
]


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A bridge with rules of its own."""
    config = tmp_path / "config"
    (config / "personas").mkdir(parents=True)
    calls = json.dumps(str(tmp_path / "calls"))
    (config / "voicebridge.yaml").write_text(
        "default_persona: desk\nserver: {port: 0, shutdown_grace_s: 0}\n"
        f"records: {{directory: {calls}}}\n"
    )
    (config / "routing.yaml").write_text(RULES)
    for stem, more in PERSONAS.items():
        text = f"name: {stem}\ninstructions: Help.\ngreeting: Hello.\n{more}"
        (config / "personas" / f"{stem}.yaml").write_text(text)
    shelf = Shelf(tmp_path / "calls")
    monkeypatch.setattr("voicebridge.server.switchboard.RecordStore", lambda *_: shelf)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(WatchedModel("Hi."))
        environ = {"VOICEBRIDGE_REALTIME_URL": model.url, "TWILIO_AUTH_TOKEN": AUTH_TOKEN}
        settings = load_settings(config, environ)
        bridge = await stack.enter_async_context(running_bridge(load_switchboard(settings)))
        yield Office(bridge, model, shelf)


@pytest.mark.parametrize(
    ("at", "calls"), [(DAY, BY_DAY), (NIGHT, BY_NIGHT)], ids=["by day", "by night"]
)
async def test_the_first_rule_that_fits_leads_the_call_as_the_command_says(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    at: datetime,
    calls: list[tuple[str, str, str, str]],
) -> None:
    clock = SimpleNamespace(now=at.astimezone)
    monkeypatch.setattr("voicebridge.server.answer.datetime", clock)
    logs: list[PhoneLog] = await all_of(
        [
            carrier_of(office, query, to_number=called, from_number=caller).place_call(
                hangs_up(), deadline_s=WITHIN_S
            )
            for called, caller, query, _ in calls
        ]
    )
    config = office.bridge.switchboard.settings.config_dir
    for log, (called, caller, query, persona) in zip(logs, calls, strict=True):
        assert is_clean(log)
        assert (await office.shelf.record_of(log.call_sid))["persona"] == persona
        out = io.StringIO()
        params = dict([query[1:].split("=")]) if query else {}
        question = RouteQuestion(called=called, caller=caller, at=at.isoformat(), params=params)
        assert run_route(config, question, out) == 0
        assert out.getvalue().splitlines()[-1] == f"{persona} answers: {persona}"

"""Who may be called, and when; and how a number gets onto the list of those who may not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicebridge.errors import ConfigError
from voicebridge.outbound.dialler import Dialler, Urls, Wish
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rest import NewCall
from voicebridge.outbound.rules import CallRefused, check_hours, home_zones
from voicebridge.outbound.set_up import add_outbound_tools
from voicebridge.outbound.tool import opt_out_tool
from voicebridge.settings import Outbound, Settings
from voicebridge.tools.context import CallContext
from voicebridge.tools.registry import ToolRegistry

BERLIN, NEW_YORK = "+493012345678", "+12125550123"
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
URLS = Urls(
    voice="https://b.example/v", status="https://b.example/s", machine="https://b.example/m"
)


class Notebook:
    """A carrier that writes down what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []

    async def create_call(self, call: NewCall) -> str:
        self.calls.append(call)
        return f"CA{len(self.calls)}"

    async def hang_up(self, call_id: str) -> None:
        raise AssertionError("nobody hangs up here")

    async def close(self) -> None:
        return None


class Desk:
    """A dialler with a notebook for a carrier; the hour is noon in Greenwich, in summer."""

    def __init__(self, folder: Path, now: datetime = NOON, **changes: object) -> None:
        self.opt_out = OptOutList(folder / "opt-out.txt")
        told = {
            "enabled": True,
            "caller_id": "+15550100002",
            "opt_out_file": folder / "o",
        } | changes
        self.rest = Notebook()
        settings = Outbound.model_validate(told)
        self.dialler = Dialler(settings, self.rest, self.opt_out, lambda: now)

    async def refusal(self, to: str = BERLIN, *, consent: bool = True) -> str:
        """Place a call; return the rule that forbids it, or nothing."""
        try:
            await self.dialler.place(Wish(to=to, persona="p", consent=consent), URLS)
        except CallRefused as refused:
            return refused.rule
        return ""


async def test_a_call_that_may_be_placed_is_placed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    wish = Wish(to="+49 30 1234-5678", persona="front desk", consent=True, params={"order": "7&8"})
    assert await desk.dialler.place(wish, URLS) == "CA1"
    (call,) = desk.rest.calls
    assert (call.to, call.caller_id) == (BERLIN, "+15550100002")
    assert call.voice_url == "https://b.example/v?order=7%268&bridge.persona=front+desk"
    assert (call.status_url, call.machine_url) == (URLS.status, URLS.machine)


async def test_machines_are_told_apart_only_if_wanted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, detect_machines=False)
    assert await desk.refusal() == ""
    assert desk.rest.calls[0].machine_url is None


async def test_without_consent_nobody_is_called(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert await desk.refusal(consent=False) == "consent"
    assert desk.rest.calls == []


@pytest.mark.parametrize("to", ["", "911", "0301234", "+1", "anonymous", "+999123456789"])
async def test_what_is_no_number_of_a_place_is_not_called(tmp_path: Path, to: str) -> None:
    desk = Desk(tmp_path)
    assert await desk.refusal(to) == "number"
    assert desk.rest.calls == []


async def test_a_number_that_opted_out_is_not_called(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "opt-out.txt").write_text(f"# those who asked\n  {BERLIN[:5]} 12345678 # by mail")
    assert await desk.refusal() == "opt_out"
    assert await desk.refusal(NEW_YORK.replace("+1", "+1 ")) == "quiet_hours"
    assert desk.rest.calls == []


@pytest.mark.parametrize(
    ("hour_utc", "to", "rule"),
    [
        (6, BERLIN, "quiet_hours"),  # 8:59 there
        (7, BERLIN, ""),  # 9:59
        (17, BERLIN, ""),  # 19:59
        (18, BERLIN, "quiet_hours"),  # 20:59
        (12, NEW_YORK, "quiet_hours"),  # 8:59
        (13, NEW_YORK, ""),  # 9:59
        (23, NEW_YORK, ""),  # 19:59
    ],
)
async def test_hours_are_quiet_where_the_number_is_at_home(
    tmp_path: Path, hour_utc: int, to: str, rule: str
) -> None:
    assert await Desk(tmp_path, NOON.replace(hour=hour_utc, minute=59)).refusal(to) == rule


def test_a_number_of_many_zones_is_called_only_when_all_are_awake() -> None:
    zones = home_zones("+18005551212")
    assert len(zones) > 3
    with pytest.raises(CallRefused, match=r"Pacific|Honolulu|America"):
        check_hours(zones, datetime(2026, 7, 1, 14, tzinfo=UTC), 9, 20)


def test_a_zone_that_is_not_known_here_counts_against_the_call() -> None:
    with pytest.raises(CallRefused, match="not known"):
        check_hours(["Mars/Olympus"], NOON, 0, 24)


async def test_so_many_calls_a_minute_are_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("voicebridge.outbound.dialler.time", fake)
    desk = Desk(tmp_path, calls_per_minute=2)
    assert [await desk.refusal() for _ in range(3)] == ["", "", "rate"]
    clock.now += 60
    assert await desk.refusal() == ""


def test_the_list_takes_a_number_once_and_after_a_line_without_end(tmp_path: Path) -> None:
    file = tmp_path / "lists" / "opt-out.txt"
    numbers = OptOutList(file)
    assert BERLIN not in numbers
    assert numbers.add("+49 30 12345678")
    file.write_text(file.read_text().rstrip() + "\nsome words")
    assert not numbers.add(BERLIN)
    assert numbers.add(NEW_YORK)
    assert file.read_text() == f"{BERLIN}\nsome words\n{NEW_YORK}\n"
    assert NEW_YORK in OptOutList(file)
    with pytest.raises(ValueError, match="expected a number"):
        numbers.add("some words")


@pytest.mark.parametrize(("caller", "noted"), [(BERLIN, True), ("anonymous", False)])
async def test_an_agent_opts_out_the_person_on_the_telephone(
    tmp_path: Path, caller: str, noted: bool
) -> None:
    numbers = OptOutList(tmp_path / "opt-out.txt")
    context = CallContext("CA1", caller, "+15550100002", "p", hang_up=lambda reason: None)
    answer = await opt_out_tool(numbers).invoke("{}", context)
    assert ("will not be called" in answer) == noted
    assert (tmp_path / "opt-out.txt").exists() == noted


@pytest.mark.parametrize(
    "told",
    [
        {"enabled": True},
        {"enabled": True, "caller_id": "+15550100002"},
        {"caller_id": "5550100002"},
        {"from_hour": 20, "until_hour": 9},
    ],
    ids=str,
)
def test_settings_that_could_call_people_by_mistake_are_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|name caller_id"):
        Outbound.model_validate(told)


def test_a_persona_may_list_the_tool_where_there_is_a_list(tmp_path: Path) -> None:
    tools = ToolRegistry.with_builtins()
    add_outbound_tools(tools, Settings(config_dir=tmp_path))
    with pytest.raises(ConfigError, match="opt_out"):
        tools.for_persona(["opt_out"])
    tools = ToolRegistry.with_builtins()
    listed = Outbound(opt_out_file=tmp_path / "opt-out.txt")
    add_outbound_tools(tools, Settings(config_dir=tmp_path, outbound=listed))
    assert [tool.name for tool in tools.for_persona(["opt_out"])] == ["opt_out"]

"""``voicebridge route`` says which rule wins, and why each earlier one did not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from voicebridge.cli.main import main
from voicebridge.cli.route import RouteQuestion, run_route
from voicebridge.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "config"


def route(*, at: str | None = None, called: str = "+1 555 010 0003", **more: str) -> list[str]:
    out = io.StringIO()
    assert run_route(SHIPPED, RouteQuestion(called=called, at=at, **more), out) == 0  # type: ignore[arg-type]
    return out.getvalue().splitlines()


def test_the_rule_that_wins_comes_last_and_the_others_say_why_not() -> None:
    lines = route(at="2026-11-22T10:00", caller="+15550100001")
    assert lines == [
        "to +15550100003, from +15550100001, Sunday 2026-11-22 10:00 America/New_York",
        "✗  1 second line, closed   it is sunday 10:00 in America/New_York, not within 18:00-8:00",
        "✓  2 second line, weekend  called +15550100003 is +15550100003; it is sunday 10:00 in "
        "America/New_York, within saturday, sunday",
        "",
        "night-line answers: Harbour Dental night line",
    ]


def test_where_no_rule_wins_the_number_or_the_default_does() -> None:
    assert [line[0] for line in route(at="2026-11-23T10:00")[1:-2]] == ["✗", "✗", "✗", "✓"]
    lines = route(at="2026-11-23T10:00", called="+15550100002")
    assert re.fullmatch(r"✓  numbers +called \+15550100002 is one of its numbers", lines[-3])
    assert lines[-1] == "front-desk answers: Harbour Dental front desk"


def test_a_time_with_its_own_zone_is_taken_over_to_that_of_the_rules() -> None:
    assert "Sunday 2026-11-22 21:30 America/New_York" in route(at="2026-11-23T03:30+01:00")[0]


def test_without_a_time_it_is_now_and_without_a_caller_the_number_is_withheld() -> None:
    assert re.search(r"from withheld, \w+day 20\d\d-\d\d-\d\d \d\d:\d\d America", route()[0])


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01T10:00", "10:00"])
def test_a_time_that_is_none_is_told_with_an_example(at: str) -> None:
    with pytest.raises(ConfigError, match="such as 2026-11-22T10:00") as caught:
        route(at=at)
    assert caught.value.key == "--at"


def test_a_parameter_is_given_by_name_and_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "personas").mkdir()
    for stem in ("desk", "acme"):
        (tmp_path / f"personas/{stem}.yaml").write_text(f"name: {stem}\ninstructions: x\n")
    (tmp_path / "voicebridge.yaml").write_text("default_persona: desk\n")
    (tmp_path / "routing.yaml").write_text("rules: [{params: {tenant: acme}, persona: acme}]\n")
    asked = ["route", "--config", str(tmp_path), "--to", "+15550100009", "--param"]
    assert main([*asked, "tenant=acme"]) == 0
    assert "acme answers: acme" in capsys.readouterr().out
    assert main([*asked, "tenant=other"]) == 0
    told = capsys.readouterr().out
    assert "✗  1        the parameter tenant is 'other', wanted 'acme'" in told
    assert "desk answers: desk" in told
    with pytest.raises(SystemExit):
        main([*asked, "tenant"])
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", "--config", str(tmp_path), "--to", "+15550100009"]) == 2
    assert "voicebridge.yaml: cannot be read" in capsys.readouterr().err


def test_a_terminal_without_the_marks_gets_words() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    run_route(SHIPPED, RouteQuestion(called="+15550100002", at="2026-11-23T10:00"), out)
    out.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["no", "no", "ok"]

"""The first rule that fits says who answers; each one tells why it does or does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from voicebridge.errors import ConfigError
from voicebridge.personas.loader import PersonaBook, load_personas
from voicebridge.personas.routing import Asked, Route

NEW_YORK = ZoneInfo("America/New_York")
SUNDAY = datetime(2026, 11, 22, 10, 0, tzinfo=NEW_YORK)


@pytest.fixture
def book(tmp_path: Path):
    def load(rules: str) -> PersonaBook:
        folder = tmp_path / "personas"
        folder.mkdir(exist_ok=True)
        for stem, more in (("desk", "numbers: ['+15550100002']"), ("night", ""), ("vip", "")):
            (folder / f"{stem}.yaml").write_text(f"name: {stem}\ninstructions: x\n{more}\n")
        (tmp_path / "routing.yaml").write_text(rules)
        return load_personas(folder, "desk", tmp_path / "routing.yaml")

    return load


def asked(
    called: str = "+15550100003", caller: str = "+15550100001", at: datetime = SUNDAY, **params: str
) -> Asked:
    return Asked(called, caller, at, params)


def one(condition: str) -> str:
    return f"time_zone: America/New_York\nrules:\n  - {{persona: night, {condition}}}\n"


def fits(route: Route) -> bool:
    return route.steps[0].fits


@pytest.mark.parametrize(
    ("condition", "call", "expected"),
    [
        ("called: '+1 (555) 010-0003'", asked(), True),
        ("called: '+15550100004'", asked(), False),
        ("called: ['+15550100004', '+155501*']", asked(), True),
        ("called: '+44*'", asked(), False),
        ("called: 'sip:desk@*'", asked("sip:desk@example.com"), True),
        ("caller: '+15550100001'", asked(caller="+1 555 010 0001"), True),
        ("caller: '+49*'", asked(), False),
        ("caller: anonymous", asked(), False),
        ("caller: Anonymous", asked(caller="anonymous"), True),
        ("caller: anonymous", asked(caller="+266696687"), True),
        ("caller: '+2666*'", asked(caller="+266696687"), False),
        ("caller: [anonymous, '+1555*']", asked(), True),
        ("params: {tenant: acme}", asked(tenant="acme"), True),
        ("params: {tenant: acme}", asked(tenant="Acme"), False),
        ("params: {tenant: acme, kind: new}", asked(tenant="acme"), False),
        ("caller: '+1555*', params: {tenant: acme}", asked(), False),
    ],
)
def test_a_rule_fits_by_number_caller_and_parameter(book, condition, call, expected) -> None:
    route = book(one(condition)).route(call)
    assert fits(route) is expected
    assert route.persona == ("night" if expected else "desk")


@pytest.mark.parametrize(
    ("condition", "at", "expected"),
    [
        ("hours: '9:00-18:00'", "2026-11-22T09:00", True),
        ("hours: '9:00-18:00'", "2026-11-22T08:59", False),
        ("hours: '9:00-18:00'", "2026-11-22T18:00", False),
        ("hours: '18:00-8:00'", "2026-11-22T18:00", True),
        ("hours: '18:00-8:00'", "2026-11-22T07:59", True),
        ("hours: '18:00-8:00'", "2026-11-22T08:00", False),
        ("hours: '0:00-24:00'", "2026-11-22T23:59", True),
        ("weekdays: [sunday]", "2026-11-22T00:00", True),
        ("weekdays: [saturday, monday]", "2026-11-22T12:00", False),
        # Friday's night goes on into Saturday morning, and Saturday's begins in the evening.
        ("weekdays: [friday], hours: '22:00-6:00'", "2026-11-21T05:00", True),
        ("weekdays: [friday], hours: '22:00-6:00'", "2026-11-20T05:00", False),
        ("weekdays: [friday], hours: '22:00-6:00'", "2026-11-21T23:00", False),
        # Clocks go back: 1:30 comes twice, and both are within.
        ("hours: '1:00-2:00'", "2026-11-01T01:30-04:00", True),
        ("hours: '1:00-2:00'", "2026-11-01T01:30-05:00", True),
        # Kiritimati is a day ahead.
        ("weekdays: [monday], time_zone: Pacific/Kiritimati", "2026-11-22T10:00", True),
    ],
)
def test_a_rule_fits_by_the_clock_of_its_place(book, condition, at, expected) -> None:
    moment = datetime.fromisoformat(at)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)
    route = book(one(condition)).route(asked(at=moment.astimezone(UTC)))
    assert fits(route) is expected


RULES = """\
time_zone: America/New_York
rules:
  - {name: friends, caller: ['+15550100007', '+15550100008'], persona: vip}
  - {name: night, hours: '18:00-8:00', persona: night}
"""


def test_the_first_rule_that_fits_wins_and_later_ones_are_not_looked_at(book) -> None:
    route = book(RULES).route(asked(caller="+15550100008", at=SUNDAY.replace(hour=22)))
    assert route.persona == "vip"
    assert [(step.rule, step.fits) for step in route.steps] == [("1 friends", True)]


def test_where_no_rule_fits_the_persona_answers_that_lists_the_number(book) -> None:
    route = book(RULES).route(asked("+1 555 010 0002"))
    assert [(step.rule, step.fits) for step in route.steps] == [
        ("1 friends", False),
        ("2 night", False),
        ("numbers", True),
    ]
    assert route.persona == "desk"


def test_where_nothing_fits_the_default_answers_and_every_step_says_why(book) -> None:
    route = book(RULES).route(asked())
    assert route.persona == "desk"
    assert [step.why for step in route.steps] == [
        "caller +15550100001 is not +15550100007 or +15550100008",
        "it is sunday 10:00 in America/New_York, not within 18:00-8:00",
        "called +15550100003 is in no persona's numbers",
        "no rule and no number fits",
    ]


def test_without_the_file_there_are_no_rules(tmp_path: Path, book) -> None:
    book("{}")
    (tmp_path / "routing.yaml").unlink()
    route = load_personas(tmp_path / "personas", "vip", tmp_path / "routing.yaml").route(asked())
    assert route.persona == "vip"


@pytest.mark.parametrize(
    ("rule", "key", "words"),
    [
        ("{persona: nigt, hours: '1:00-2:00'}", "rules[0].persona", "did you mean 'night'?"),
        ("{persona: night}", "rules[0]", "use default_persona for that"),
        ("{persona: night, called: []}", "rules[0]", "without a condition"),
        ("{persona: night, called: '555'}", "rules[0].called[0]", "such as '+15550100002'"),
        ("{persona: night, called: anonymous}", "rules[0].called[0]", "such as"),
        ("{persona: night, called: '*'}", "rules[0].called[0]", "such as '+1555*'"),
        ("{persona: night, caller: ['+1*5']}", "rules[0].caller[0]", "such as"),
        ("{persona: night, hours: closed}", "rules[0].hours", "a time of day such as"),
        ("{persona: night, hours: '9-18'}", "rules[0].hours", "24-hour clock"),
        ("{persona: night, weekdays: [mon]}", "rules[0].weekdays[0]", "did you mean 'monday'?"),
        ("{persona: night, callers: '+1*'}", "rules[0].callers", "did you mean 'caller'?"),
        ("{persona: night, weekdays: [monday], time_zone: Mars}", "rules[0].time_zone", "a time z"),
        ("{caller: '+1*'}", "rules[0].persona", "required, and missing"),
    ],
)
def test_a_wrong_rule_is_told_with_its_place_and_remedy(book, tmp_path, rule, key, words) -> None:
    with pytest.raises(ConfigError) as caught:
        book(f"rules:\n  - {rule}\n")
    assert (caught.value.file, caught.value.line) == (tmp_path / "routing.yaml", 2)
    assert caught.value.key is not None
    assert key.startswith(caught.value.key)
    assert words in str(caught.value)

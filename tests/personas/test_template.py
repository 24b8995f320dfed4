"""A persona's words are filled in, or refused before the first call; nothing runs on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebridge.personas.template import MAX_CHARACTERS, check, render
from voicebridge.personas.template_check import TemplateFault

KINDS = {
    "caller.number": "text",
    "caller.anonymous": "flag",
    "now": "text",
    "now.hour": "number",
    "facts.new patients": "text",
    "facts.items": "text",
    "params.tenant": "text",
}
VALUES = {
    "caller.number": "+15550100001",
    "caller.anonymous": False,
    "now": "Sunday, 22 November 2026, 10:00",
    "now.hour": 10,
    "facts.new patients": "welcome",
    "facts.items": "dict",
    "params.tenant": "Acme",
}


def said(text: str) -> str:
    check(text, KINDS)
    return render(text, VALUES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No variables: {one} {2}%.", "No variables: {one} {2}%."),
        ("From {{ caller.number }}.", "From +15550100001."),
        ("{{ now }} / {{ now.hour }}", "Sunday, 22 November 2026, 10:00 / 10"),
        ("{{ facts['new patients'] | upper }}", "WELCOME"),
        ("{{ facts.items }}", "dict"),
        ("{{ params.tenant ~ '!' }}", "Acme!"),
        ("{{ params.brand | default('ours') }}", "ours"),
        ("{{ params.tenant | default('ours') }}", "Acme"),
        ("{% if now.hour < 12 %}Morning{% else %}Day{% endif %}.", "Morning."),
        ("{% if now.hour >= 18 %}a{% elif params.tenant == 'Acme' %}b{% endif %}", "b"),
        ("{{ 'shut' if now.hour in [1, 2, 3] else 'open' }}", "open"),
        ("{% if '+1555' in caller.number and not caller.anonymous %}ours{% endif %}", "ours"),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        ("{# of no concern to the model #}Hello", "Hello"),
        ("{% raw %}{{ as it stands }}{% endraw %}", "{{ as it stands }}"),
    ],
)
def test_words_are_filled_in(text: str, words: str) -> None:
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("{{ caller.nummber }}", "did you mean 'caller.number'?"),
        ("{{ weather }}", "there is: caller.number"),
        ("{{ facts }}", "name one of it: facts.new patients"),
        ("{{ params.brand }}", "add 'params: {brand: …}'"),
        ("{{ caller.number | uper }}", "did you mean 'upper'?"),
        ("{{ caller.number | upper(1) }}", "takes no argument"),
        ("{{ params.tenant | default }}", "takes exactly one argument"),
        ("{{ caller.number", "line 1 of the text"),
        ("a\nb {% if now.hour %}", "line 2 of the text"),
        ("{% for each in facts %}{{ each }}{% endfor %}", "no loops"),
        ("{% set a = now ~ now %}{{ a }}", "no assignments"),
        ("{% macro a() %}{% endmacro %}", "no macros"),
        ("{% include 'secrets' %}", "no includes"),
        ("{% import 'os' as os %}", "no 'import'"),
        ("{{ range(9) }}", "no calls"),
        ("{{ caller.number.format() }}", "no calls"),
        ("{{ caller.__class__ }}", "unknown variable"),
        ("{{ ''.__class__.__mro__ }}", "no 'getattr'"),
        ("{{ caller['num' ~ 'ber'] }}", "no 'getitem'"),
        ("{{ self }}", "unknown variable 'self'"),
        ("{{ 9 ** 9 }}", "no arithmetic"),
        ("{{ 'a' * 1000000000 }}", "no arithmetic"),
        ("{{ 1e999 }}", "a small whole number"),
        ("{{ " + "9" * 5000 + " }}", "too large"),
        ("{{ '\\ud800' }}", "expected a text"),
        ("{{ caller.number < 5 }}", "only numbers can be smaller"),
        ("{{ caller.number == 5 }}", "a text is compared with a number"),
        ("{{ now.hour in caller.number }}", "'in' looks for a text in a text"),
        ("{{ 'a' if true }}", "needs its 'else"),
        ("{{ now is defined }}", "no tests with 'is'"),
        ("{% filter upper %}a{% endfilter %}", "no 'filterblock'"),
        ("{{ " + "not " * 40 + "true }}", "at most 16 deep"),
        ("{% if true %}" * 40 + "{% endif %}" * 40, "at most 16 deep"),
        ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "nested too deep"),
    ],
)
def test_what_is_unknown_or_could_fail_is_refused_with_its_remedy(text: str, remedy: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        check(text, KINDS)
    assert remedy in str(caught.value)


def test_words_that_become_too_long_are_refused() -> None:
    text = "{{ now }}" * 5000
    check(text, KINDS)
    with pytest.raises(TemplateFault, match=f"longer than {MAX_CHARACTERS}"):
        render(text, VALUES)


def test_what_is_filled_in_is_never_read_as_a_template() -> None:
    assert render("{{ now }}", {"now": "{{ caller.number }}{% if %}"}) == (
        "{{ caller.number }}{% if %}"
    )


PIECES = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", " if ", " else ", " endif ", " for ", " in ", " not ",
     " and ", "now.hour", "caller.number", "params.tenant", "facts['new patients']", "|default(",
     "|upper", ")", "(", "'a'", "12", "<", "==", "~", "[", "]", ",", "set", "=", ".", "raw", "\n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_is_written_is_refused_or_fills_in(text: str) -> None:
    try:
        check(text, KINDS)
    except TemplateFault:
        return
    for hour, anonymous in ((0, True), (23, False)):
        values = VALUES | {"now.hour": hour, "caller.anonymous": anonymous}
        assert isinstance(render(text, values), str)

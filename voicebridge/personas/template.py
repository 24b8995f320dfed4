"""The variables in a persona's words: ``{{ caller.number }}``, ``{% if now.hour < 12 %}``.

Templates are jinja2's, in its immutable sandbox, and of its language only what cannot fail and
cannot run on: variables that are known, texts joined by ``~``, conditions, and a few filters.
There are no loops, calls, assignments, macros or arithmetic, so a text costs no more than its
length, and it yields at most ``MAX_CHARACTERS``. A template that was accepted renders for every
call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from voicebridge.personas.yaml_faults import did_you_mean

MAX_CHARACTERS: Final = 64 * 1024
MAX_DEPTH: Final = 16

Names = Mapping[str, Mapping[str, str] | str]
"""The kinds of all variables: ``text``, ``number`` or ``flag``, by group and name."""

_FILTERS: Final = ("upper", "lower", "capitalize", "title", "trim", "default")
_STRUCTURE: Final = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr)
_LOGIC: Final = (nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Operand)
_NAMED: Final = {
    nodes.For: "loops",
    nodes.Call: "calls",
    nodes.Assign: "assignments",
    nodes.AssignBlock: "assignments",
    nodes.Macro: "macros",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
    nodes.Extends: "blocks",
    nodes.Block: "blocks",
    nodes.Test: "tests with 'is'",
    nodes.BinExpr: "arithmetic",
    nodes.UnaryExpr: "arithmetic",
}


class TemplateFault(ValueError):
    """A text that is no usable template; the message says what to write instead."""


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the words go to a model and a voice, not to a browser
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.tests, environment.globals = {}, {}
    return environment


_ENVIRONMENT: Final = _environment()


def has_variables(text: str) -> bool:
    """Tell whether ``text`` is more than the words that stand there."""
    return any(sign in text for sign in ("{{", "{%", "{#"))


def check(text: str, names: Names) -> None:
    """Raise ``TemplateFault`` unless ``text`` renders with every value of these variables."""
    if has_variables(text):
        _Checker(names).visit(_parsed(text), 0)
        _compiled(text)


def render(text: str, values: Mapping[str, Any]) -> str:
    """Fill in a text that was checked; raises ``TemplateFault`` when it becomes too long."""
    if not has_variables(text):
        return text
    pieces, length = [], 0
    try:
        for piece in _compiled(text).generate(values):
            length += len(piece)
            if length > MAX_CHARACTERS:
                raise TemplateFault(f"this becomes longer than {MAX_CHARACTERS} characters")
            pieces.append(piece)
    except TemplateError as error:
        raise TemplateFault(f"this cannot be filled in: {error.message}") from None
    return "".join(pieces)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    code = _understood(lambda: _ENVIRONMENT.compile(_items_for_attributes(_parsed(text))))
    return Template.from_code(_ENVIRONMENT, code, {})


def _parsed(text: str) -> nodes.Template:
    return _understood(lambda: _ENVIRONMENT.parse(text))



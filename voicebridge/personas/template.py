"""The variables in a persona's words: ``{{ caller.number }}``, ``{% if now.hour < 12 %}``.

Templates are jinja2's, in its immutable sandbox, and of its language only what cannot fail and
cannot run on: variables that are known, texts joined by ``~``, conditions, and a few filters.
There are no loops, calls, assignments, macros and no arithmetic, so a text costs no more than its
length, and becomes at most ``MAX_CHARACTERS`` long. A template that was checked renders for every
call, unless it becomes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from voicebridge.personas.template_check import FILTERS, Kind, TemplateFault, check_nodes, variable

MAX_CHARACTERS: Final = 64 * 1024

T = TypeVar("T")

Value = str | int | bool


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the words go to a model and a voice, not to a browser
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.tests, environment.globals = {}, {}
    return environment


_ENVIRONMENT: Final = _environment()


def has_variables(text: str) -> bool:
    """Tell whether ``text`` is more than the words that stand there."""
    return any(sign in text for sign in ("{{", "{%", "{#"))


def check(text: str, kinds: Mapping[str, Kind]) -> None:
    """Raise ``TemplateFault`` unless ``text`` can be filled in with any values of these kinds.

    ``kinds`` are all variables by their full name, such as ``caller.number``.
    """
    if has_variables(text):
        check_nodes(_parsed(text), kinds)
        _compiled(text)


def render(text: str, values: Mapping[str, Value]) -> str:
    """Fill in a text that was checked; raises ``TemplateFault`` when it becomes too long."""
    if not has_variables(text):
        return text
    pieces: list[str] = []
    length = 0
    try:
        for piece in _compiled(text).generate(values=values):
            length += len(piece)
            if length > MAX_CHARACTERS:
                raise TemplateFault(f"this becomes longer than {MAX_CHARACTERS} characters")
            pieces.append(piece)
    except TemplateError as error:
        raise TemplateFault(f"this cannot be filled in: {error.message}") from None
    return "".join(pieces)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    tree = _parsed(text)
    _Flat().visit(tree)
    tree.set_environment(_ENVIRONMENT)
    code = _understood(lambda: _ENVIRONMENT.compile(tree))
    return Template.from_code(_ENVIRONMENT, code, {})


def _parsed(text: str) -> nodes.Template:
    return _understood(lambda: _ENVIRONMENT.parse(text))


def _understood(read: Callable[[], T]) -> T:
    try:
        return read()
    except TemplateSyntaxError as error:
        message = str(error.message).rstrip(".")
        raise TemplateFault(
            f"not a template: {message} (line {error.lineno} of the text)"
        ) from None
    except (RecursionError, SyntaxError, ValueError, OverflowError, MemoryError):
        raise TemplateFault(
            "not a template: an expression is nested too deep, or too large"
        ) from None


class _Flat(NodeTransformer):
    """Let every variable be looked up by its full name, so that no attribute is ever read."""

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - as jinja2 names it
        return _lookup(node)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - as jinja2 names it
        return _lookup(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - as jinja2 names it
        return _lookup(node)


def _lookup(node: nodes.Expr) -> nodes.Node:
    name = variable(node)
    if name is None:
        raise TemplateFault("a variable is named by words, such as facts.address")
    values = nodes.Name("values", "load", lineno=node.lineno)
    return nodes.Getitem(values, nodes.Const(name, lineno=node.lineno), "load", lineno=node.lineno)

"""The variables in a persona's words: ``{{ caller.number }}``, ``{% if now.hour < 12 %}``.

Templates are jinja2's, in its immutable sandbox, and of its language only what cannot fail and
cannot run on: variables that are known, texts joined by ``~``, conditions, and a few filters.
There are no loops, calls, assignments, macros and no arithmetic, so a text costs no more than its
length, and becomes at most ``MAX_CHARACTERS`` long. A template that was checked renders for every
call, unless it becomes too long.

A variable may stand for two things: what it is, by which conditions are decided, and what is said
of it, which gets into the text. So a text can ask for a value without ever holding it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from voicebridge.personas.template_check import FILTERS, Kind, TemplateFault, check_nodes, variable

MAX_CHARACTERS: Final = 64 * 1024

T = TypeVar("T")
N = TypeVar("N", bound=nodes.Node)

Value = str | int | bool


class Name(str):
    """Say of a variable how it is called, in place of its value; no filter alters that."""

    __slots__ = ()


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the words go to a model and a voice, not to a browser
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.filters = {name: _sparing_names(environment.filters[name]) for name in FILTERS}
    environment.tests, environment.globals = {}, {}
    return environment


def _sparing_names(change: Callable[..., Any]) -> Callable[..., Any]:
    def changed(value: Any, *arguments: Any) -> Any:
        return value if isinstance(value, Name) else change(value, *arguments)

    return changed


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


def render(text: str, values: Mapping[str, Value], said: Mapping[str, Value] | None = None) -> str:
    """Fill in a text that was checked; raises ``TemplateFault`` when it becomes too long.

    ``said`` are what gets into the text, if that is not the values; its keys are the same.
    """
    if not has_variables(text):
        return text
    pieces: list[str] = []
    length = 0
    try:
        for piece in _compiled(text).generate(values=values, said=said or values):
            length += len(piece)
            if length > MAX_CHARACTERS:
                raise TemplateFault(f"this becomes longer than {MAX_CHARACTERS} characters")
            pieces.append(piece)
    except TemplateError as error:
        raise TemplateFault(f"this cannot be filled in: {error.message}") from None
    return "".join(pieces)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    tree = _flat(_parsed(text), _SAID)
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


_VALUES, _SAID = "values", "said"


def _flat(node: N, of: str) -> N:
    """Return a tree in which every variable is looked up by its full name: no attribute is read.

    ``of`` is the mapping to look in. What is only decided by is looked up among the values.
    """
    made: nodes.Node
    if isinstance(node, nodes.Expr) and not isinstance(node, nodes.Const):
        if (name := variable(node)) is not None:
            return cast(N, _lookup(name, of, node.lineno))
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            raise TemplateFault("a variable is named by words, such as facts.address")
    match node:
        case nodes.And(left=left, right=right) if of == _SAID:
            chosen = (_flat(left, _VALUES), _flat(right, of), _flat(left, of))
            made = nodes.CondExpr(*chosen, lineno=node.lineno)
        case nodes.Or(left=left, right=right) if of == _SAID:
            chosen = (_flat(left, _VALUES), _flat(left, of), _flat(right, of))
            made = nodes.CondExpr(*chosen, lineno=node.lineno)
        case nodes.Compare() | nodes.Not():
            made = _rebuilt(node, lambda _: _VALUES)
        case nodes.If() | nodes.CondExpr():
            made = _rebuilt(node, lambda field: _VALUES if field == "test" else of)
        case _:
            made = _rebuilt(node, lambda _: of)
    return cast(N, made)


def _rebuilt(node: N, of: Callable[[str], str]) -> N:
    """Copy a node with the mapping that each of its fields looks in."""

    def field(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [field(name, each) for each in value]
        return _flat(value, of(name)) if isinstance(value, nodes.Node) else value

    fields = [field(name, value) for name, value in node.iter_fields()]
    return type(node)(*fields, lineno=node.lineno)


def _lookup(name: str, of: str, line: int) -> nodes.Expr:
    mapping = nodes.Name(of, "load", lineno=line)
    return nodes.Getitem(mapping, nodes.Const(name, lineno=line), "load", lineno=line)

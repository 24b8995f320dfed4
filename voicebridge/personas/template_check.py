"""What a persona's template may say, read from its tree before anything of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from jinja2 import nodes

from voicebridge.personas.yaml_faults import did_you_mean

Kind = Literal["text", "number", "flag"]

FILTERS: Final = ("upper", "lower", "capitalize", "title", "trim", "default")
MAX_DEPTH: Final = 16

_REFUSED: Final = {
    nodes.For: "loops",
    nodes.Call: "calls",
    nodes.Assign: "assignments",
    nodes.AssignBlock: "assignments",
    nodes.Macro: "macros",
    nodes.Include: "includes (use 'extends:' in the file)",
    nodes.Extends: "blocks",
    nodes.Block: "blocks",
    nodes.Test: "tests with 'is'",
    nodes.BinExpr: "arithmetic",
    nodes.UnaryExpr: "arithmetic",
}
_ORDERED: Final = ("lt", "lteq", "gt", "gteq")


class TemplateFault(ValueError):
    """A text that is no usable template; the message says what to write instead."""


def variable(node: nodes.Node) -> str | None:
    """Return the full name of a variable, such as ``facts.address``; None for anything else."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            part = node.attr
        case nodes.Getitem(arg=nodes.Const(value=str(part))):
            pass
        case _:
            return None
    group = variable(node.node)
    return None if group is None else f"{group}.{part}"


def check_nodes(tree: nodes.Template, kinds: Mapping[str, Kind]) -> None:
    """Raise ``TemplateFault`` for whatever is unknown, not allowed, or could fail in a call."""
    _Check(kinds).body(tree.body, 0)


class _Check:
    """Walk the tree; ``kind`` tells what an expression yields."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds

    def body(self, body: Iterable[nodes.Node], depth: int) -> None:
        for node in body:
            _not_too_deep(depth)
            match node:
                case nodes.Output():
                    for each in node.nodes:
                        if not isinstance(each, nodes.TemplateData):
                            self.kind(each, depth + 1)
                case nodes.If():
                    self.kind(node.test, depth + 1)
                    for inner in (node.body, node.elif_, node.else_):
                        self.body(inner, depth + 1)
                case _:
                    raise _refused(node)

    def kind(self, node: nodes.Node, depth: int) -> Kind | None:
        """Return what an expression yields; None for what may be one thing or another."""
        _not_too_deep(depth)
        if (name := variable(node)) is not None:
            return self._known(name)
        match node:
            case nodes.Const():
                return _constant(node.value)
            case nodes.Concat():
                return self._all(node.nodes, depth, "text")
            case nodes.And() | nodes.Or():
                return self._all((node.left, node.right), depth, None)
            case nodes.Not():
                return self._all((node.node,), depth, "flag")
            case nodes.CondExpr(expr2=nodes.Expr() as otherwise):
                return self._all((node.test, node.expr1, otherwise), depth, None)
            case nodes.CondExpr():
                raise TemplateFault("'… if …' needs its 'else …'")
            case nodes.Compare():
                return self._compared(node, depth)
            case nodes.Filter():
                return self._filtered(node, depth)
            case _:
                raise _refused(node)

    def _all(self, parts: Iterable[nodes.Node], depth: int, kind: Kind | None) -> Kind | None:
        for part in parts:
            self.kind(part, depth + 1)
        return kind

    def _known(self, name: str) -> Kind:
        if name in self._kinds:
            return self._kinds[name]
        group, _, rest = name.partition(".")
        members = [each for each in self._kinds if each.startswith(f"{name}.")]
        if members:
            raise TemplateFault(f"'{name}' is a group; name one of it: {', '.join(members)}")
        if group == "params" and rest:
            raise TemplateFault(
                f"the parameter '{rest}' is not declared; add 'params: {{{rest}: …}}' with the "
                "words for a call that brings none"
            )
        hint = did_you_mean(name, self._kinds) or f"; there is: {', '.join(self._kinds)}"
        raise TemplateFault(f"unknown variable '{name}'{hint}")

    def _filtered(self, node: nodes.Filter, depth: int) -> Kind | None:
        if node.name not in FILTERS:
            hint = did_you_mean(node.name, FILTERS) or f"; there is: {', '.join(FILTERS)}"
            raise TemplateFault(f"unknown filter '{node.name}'{hint}")
        wanted = 1 if node.name == "default" else 0
        if len(node.args) != wanted or node.kwargs or node.dyn_args or node.dyn_kwargs:
            words = "exactly one argument" if wanted else "no argument"
            raise TemplateFault(f"the filter '{node.name}' takes {words}")
        if node.node is None:  # {% filter … %}
            raise _refused(node)
        optional = wanted and (variable(node.node) or "").startswith("params.")
        kind = "text" if optional else self.kind(node.node, depth + 1)
        otherwise = [self.kind(argument, depth + 1) for argument in node.args]
        if not wanted:
            return "text"
        return kind if otherwise == [kind] else None

    def _compared(self, node: nodes.Compare, depth: int) -> Kind:
        left = self.kind(node.expr, depth + 1)
        for operand in node.ops:
            left = self._operand(left, operand, depth + 1)
        return "flag"

    def _operand(self, left: Kind | None, operand: nodes.Operand, depth: int) -> Kind | None:
        if operand.op in ("in", "notin") and isinstance(operand.expr, nodes.List | nodes.Tuple):
            return self._all(operand.expr.items, depth, "flag")
        right = self.kind(operand.expr, depth)
        if operand.op in ("in", "notin") and (left, right) != ("text", "text"):
            raise TemplateFault("'in' looks for a text in a text, or for a value in a list")
        if operand.op in _ORDERED and (left, right) != ("number", "number"):
            raise TemplateFault("only numbers can be smaller or larger, such as now.hour < 12")
        if None not in (left, right) and left != right:
            raise TemplateFault(f"a {left} is compared with a {right}, which is never the same")
        return right


def _constant(value: object) -> Kind:
    match value:
        case bool():
            return "flag"
        case int() if abs(value) < 10**9:
            return "number"
        case str() if value.isascii() or value.encode("utf-8", "ignore").decode() == value:
            return "text"
    raise TemplateFault(f"expected a text or a small whole number, got {str(value)[:40]!a}")


def _not_too_deep(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TemplateFault(f"conditions and expressions go at most {MAX_DEPTH} deep")


def _refused(node: nodes.Node) -> TemplateFault:
    for kind, name in _REFUSED.items():
        if isinstance(node, kind):
            return TemplateFault(f"a persona's words have no {name}")
    return TemplateFault(f"a persona's words have no '{type(node).__name__.lower()}'")

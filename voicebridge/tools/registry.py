"""Know the tools by name, and find those that a persona lists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from difflib import get_close_matches
from types import ModuleType

from voicebridge.errors import ConfigError
from voicebridge.tools.builtin.hang_up import hang_up
from voicebridge.tools.builtin.opening_hours import opening_hours_tool
from voicebridge.tools.tool import Tool

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

# What importing somebody's module raises when it is missing or wrong. Anything else, such as an
# interrupt, is not ours to translate.
_IMPORT_FAULTS = (
    ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError,
    OSError, RuntimeError, ArithmeticError, AssertionError,
)  # fmt: skip


class ToolRegistry:
    """Hold tools by name; a dotted path ``package.module:function`` is loaded when it is named."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    @classmethod
    def with_builtins(cls) -> ToolRegistry:
        """Make a registry of the tools that come with the package."""
        return cls([hang_up, opening_hours_tool()])

    def add(self, tool: Tool) -> None:
        """Add a tool; raises ConfigError when another one has its name."""
        if tool.name in self._tools:
            raise ConfigError(f"there are two tools named '{tool.name}'; rename one")
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool:
        """Return the tool of this name or dotted path; raises ConfigError with the nearest."""
        if ":" in name:
            return _load(name)
        if name not in self._tools:
            raise ConfigError(_unknown("tool", name, self._tools))
        return self._tools[name]

    def for_persona(self, names: Iterable[str]) -> tuple[Tool, ...]:
        """Return the tools that a persona lists; the ConfigError's key is as in ``tools[1]``."""
        tools, errors = self._find(names)
        if errors:
            raise errors[0][1]
        return tools

    def errors_of(self, names: Iterable[str]) -> list[tuple[int, ConfigError]]:
        """Return everything that is wrong with a persona's list, with the place in the list."""
        return self._find(names)[1]

    def _find(self, names: Iterable[str]) -> tuple[tuple[Tool, ...], list[tuple[int, ConfigError]]]:
        found: dict[str, Tool] = {}
        errors: list[tuple[int, ConfigError]] = []
        for index, name in enumerate(names):
            key = f"tools[{index}]"
            try:
                tool = self.get(name)
            except ConfigError as error:
                errors.append((index, ConfigError(error.message, key=key)))
                continue
            if tool.name in found:
                twice = f"the tool '{tool.name}' is listed twice"
                errors.append((index, ConfigError(twice, key=key)))
            found.setdefault(tool.name, tool)
        return tuple(found.values()), errors


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there is: {', '.join(names) or 'none'}"
    return f"unknown {what} '{name}'; {hint}"


def _load(dotted: str) -> Tool:
    if not _DOTTED.fullmatch(dotted):
        raise ConfigError(f"expected a tool as 'package.module:function', got '{dotted}'")
    module_name, _, attribute = dotted.partition(":")
    module = _import(module_name, dotted)
    candidates = {name: value for name, value in vars(module).items() if isinstance(value, Tool)}
    if attribute in candidates:
        return candidates[attribute]
    if callable(vars(module).get(attribute)):
        raise ConfigError(f"'{dotted}' is not a tool; decorate the function with @tool")
    raise ConfigError(_unknown(f"tool in {module_name}", attribute, candidates))


def _import(module_name: str, dotted: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ConfigError as error:
        raise ConfigError(f"'{dotted}': {error.message}") from None
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise ConfigError(
                f"no module '{error.name}' for the tool '{dotted}'; install it, or put its folder "
                "on PYTHONPATH"
            ) from None
        raise ConfigError(f"importing '{module_name}' failed: {error}") from error
    except _IMPORT_FAULTS as error:
        raise ConfigError(
            f"importing '{module_name}' failed: {type(error).__name__}: {error}"
        ) from error

"""Load tools that others wrote, when the configuration names them and never else.

``acme`` names an entry point of the group ``voicebridge.tools``; ``package.module`` all tools of a
module; ``package.module:function`` one tool. Nothing is looked for in the working directory, from
which anybody who can leave a file there could otherwise be run.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.tools.tool import Tool

GROUP = "voicebridge.tools"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?")

# What importing somebody's module raises when it is missing or wrong. Anything else, such as an
# interrupt, is not ours to translate.
_IMPORT_FAULTS = (
    ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError,
    OSError, RuntimeError, ArithmeticError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Say where a tool comes from; ``version`` is empty where none is known."""

    source: str
    version: str = ""


Found = list[tuple[Tool, Origin]]


def load_plugin(name: str) -> Found:
    """Return the tools of a plugin that the configuration names; raises ConfigError."""
    points: dict[str, list[EntryPoint]] = {}
    with _without_working_directory():
        for point in entry_points(group=GROUP):
            points.setdefault(point.name, []).append(point)
    if name in points:
        return _of_entry_point(name, points[name])
    if "." in name or ":" in name:
        return load_dotted(name)
    raise ConfigError(
        f"no plugin '{name}' is installed{did_you_mean(name, points)}; a plugin is an entry point "
        f"of the group '{GROUP}', or a path such as package.module:function"
    )


def load_dotted(dotted: str) -> Found:
    """Return the tool ``package.module:function``, or all of ``package.module``."""
    if not _DOTTED.fullmatch(dotted):
        raise ConfigError(f"expected a tool as 'package.module:function', got '{dotted}'")
    module_name, _, attribute = dotted.partition(":")
    module = _import(module_name, dotted)
    candidates = _tools_in(module)
    origin = Origin(dotted, _version_of(module))
    if not attribute:
        if not candidates:
            raise ConfigError(
                f"there is no tool in '{module_name}'; decorate a function with @tool"
            )
        return [(tool, origin) for tool in candidates.values()]
    if attribute in candidates:
        return [(candidates[attribute], origin)]
    if callable(vars(module).get(attribute)):
        raise ConfigError(f"'{dotted}' is not a tool; decorate the function with @tool")
    raise ConfigError(unknown(f"tool in {module_name}", attribute, candidates))


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, and which is nearest."""
    names = sorted(known)
    near = did_you_mean(name, names)
    return f"unknown {what} '{name}'{near or '; there is: ' + (', '.join(names) or 'none')}"


def _of_entry_point(name: str, points: list[EntryPoint]) -> Found:
    if len({point.value for point in points}) > 1:
        owners = ", ".join(sorted(point.dist.name for point in points if point.dist))
        raise ConfigError(f"the plugin '{name}' is installed twice, by {owners}; remove one")
    point = points[0]
    loaded = _import(point.module, name)
    value: Any = loaded
    for attribute in point.attr.split(".") if point.attr else ():
        value = vars(value).get(attribute)
    distribution = point.dist.name if point.dist else point.module
    origin = Origin(f"{name} ({distribution})", point.dist.version if point.dist else "")
    return [(tool, origin) for tool in _as_tools(name, value)]


def _as_tools(name: str, value: Any) -> list[Tool]:
    """Take a tool, several tools, or a module with tools."""
    if isinstance(value, ModuleType):
        tools = list(_tools_in(value).values())
    elif isinstance(value, list | tuple):
        tools = [tool for tool in value if isinstance(tool, Tool)]
        if len(tools) < len(value):
            raise ConfigError(f"the plugin '{name}' lists something that is no tool; use @tool")
    else:
        tools = [value] if isinstance(value, Tool) else []
    if not tools:
        raise ConfigError(f"the plugin '{name}' has no tools; it must lead to a tool, or a list")
    return tools


def _tools_in(module: ModuleType) -> dict[str, Tool]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Tool)}


def _import(module_name: str, wanted: str) -> ModuleType:
    try:
        with _without_working_directory():
            return importlib.import_module(module_name)
    except ConfigError as error:
        raise ConfigError(f"'{wanted}': {error.message}") from None
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise ConfigError(
                f"no module '{error.name}' for the tool '{wanted}'; install it, or put its folder "
                "on PYTHONPATH"
            ) from None
        raise ConfigError(f"importing '{module_name}' failed: {error}") from error
    except _IMPORT_FAULTS as error:
        raise ConfigError(
            f"importing '{module_name}' failed: {type(error).__name__}: {error}"
        ) from error


@contextmanager
def _without_working_directory() -> Iterator[None]:
    """Drop the working directory where Python itself has put it first, as ``python -m`` does.

    Where somebody has put it on the path on purpose, by PYTHONPATH or an editable install, it
    stands there once more and is kept.
    """
    kept = list(sys.path)
    if sys.path and sys.path[0] in {"", str(Path.cwd())}:
        del sys.path[0]
    sys.path[:] = [each for each in sys.path if each]
    without = list(sys.path)
    try:
        yield
    finally:
        added = [each for each in sys.path if each not in without]
        sys.path[:] = [*added, *kept]


def _version_of(module: ModuleType) -> str:
    top = module.__name__.partition(".")[0]
    distributions = packages_distributions().get(top, [])
    return version(distributions[0]) if distributions else ""

"""Turn a plain or async function into a tool that the model can call."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

from pydantic_core import to_json

from voicebridge.errors import ConfigError, ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.schema import Arguments

MAX_OUTPUT_BYTES = 16 * 1024

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARGUMENT = re.compile(r"\s{4,}\*{0,2}(\w+)(?: \([^)]*\))?:\s*(.+)")


@dataclass(frozen=True, slots=True)
class Tool:
    """Offer one function to the model: its name, what it is for, and what it takes.

    ``parameters`` is a JSON schema. ``function`` is the function itself, for calling it directly.
    """

    name: str
    description: str
    function: Callable[..., Any]
    _arguments: Arguments = field(repr=False)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the JSON schema of the arguments, as the realtime API takes it."""
        return self._arguments.schema

    async def invoke(self, arguments_json: str, context: CallContext) -> str:
        """Call the function and return its result as text for the model, at most 16 KiB.

        A plain function runs in a thread, which goes on even if this call is cancelled. Raises
        ToolArgumentsInvalid, ToolFailed for a result that is not JSON, and whatever the function
        itself raises.
        """
        arguments = self._arguments.parse(arguments_json)
        if self._arguments.context_name is not None:
            arguments[self._arguments.context_name] = context
        if inspect.iscoroutinefunction(self.function):
            result = await self.function(**arguments)
        else:
            result = await asyncio.to_thread(self._call, arguments)
            if inspect.isawaitable(result):  # an async function in a plain wrapper
                result = await result
        return _cut(self._as_text(result))

    def _call(self, arguments: Mapping[str, Any]) -> Any:
        try:
            return self.function(**arguments)
        except StopIteration as error:  # a future cannot carry it: the call would wait for ever
            raise ToolFailed(f"{self.name} stopped before it had a result") from error

    def _as_text(self, result: object) -> str:
        if isinstance(result, str):
            return result
        try:
            return to_json(result, inf_nan_mode="null").decode()
        except (ValueError, TypeError) as error:
            raise ToolFailed(f"{self.name} gave a result that cannot be written as JSON") from error


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a Tool of a function, from its signature and docstring.

    The model reads the docstring up to ``Args:``; a parameter is described there or by
    ``Annotated[T, "words"]``. A parameter of type CallContext is filled in and not shown. Raises
    ConfigError for a function that cannot be offered as a tool.
    """

    def make(function: Callable[..., Any]) -> Tool:
        summary, descriptions = _docstring(function)
        offered = name or str(getattr(function, "__name__", type(function).__name__))
        if not inspect.isroutine(function) or _is_generator(function):
            raise ConfigError(f"the tool '{offered}' cannot be used: it is no plain function")
        if not _NAME.fullmatch(offered):
            raise ConfigError(
                f"the tool '{offered}' cannot be used: a name is 1 to 64 letters, digits, _ and -"
            )
        told = description or summary
        if not told:
            raise ConfigError(
                f"the tool '{offered}' cannot be used: it needs a docstring, which tells the "
                "model when to call it"
            )
        return Tool(offered, told, function, Arguments(offered, function, descriptions))

    return make if function is None else make(function)


def _is_generator(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Split a docstring into what the tool does and what ``Args:`` says of each parameter."""
    text, _, rest = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    descriptions: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        match = _ARGUMENT.fullmatch(line)
        if match and not line.startswith(" " * 5):
            name = match[1]
            descriptions[name] = match[2].strip()
        elif name and line.startswith(" " * 5):
            descriptions[name] += f" {line.strip()}"
        elif line and not line.startswith(" "):
            break
    return text.strip(), descriptions


def _cut(text: str) -> str:
    """Cut ``text`` to MAX_OUTPUT_BYTES of UTF-8, telling the model that there was more."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MAX_OUTPUT_BYTES:
        return raw.decode()
    marker = f" [cut here: {len(raw)} bytes are more than the {MAX_OUTPUT_BYTES} allowed]"
    return raw[: MAX_OUTPUT_BYTES - len(marker)].decode("utf-8", "ignore") + marker

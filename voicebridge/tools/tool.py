"""Turn a plain or async function into a tool that the model can call."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypedDict, Unpack, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import as_output
from voicebridge.tools.schema import ArgumentReader, Arguments, unusable
from voicebridge.tools.threads import ToolThreads
from voicebridge.tools.watchdog import watched

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARGUMENT = re.compile(r"\s{4,}\*{0,2}(\w+)(?: \([^)]*\))?:\s*(.+)")


class ToolOptions(BaseModel):
    """Say how a tool behaves in a call.

    ``timeout_s`` takes the place of the persona's ``tool_timeout_s``. A ``cancellable`` tool may be
    stopped when the caller speaks over the answer. Of one with ``confirm`` the agent asks before
    it runs. ``filler`` is said while the caller waits for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeout_s: float | None = Field(default=None, gt=0, le=120)
    cancellable: bool = False
    confirm: bool = False
    filler: str | None = Field(default=None, min_length=1, max_length=300)


USUAL = ToolOptions()


class OptionWords(TypedDict, total=False):
    """Name the options that ``@tool`` takes; ``ToolOptions`` tells what they mean."""

    timeout_s: float | None
    cancellable: bool
    confirm: bool
    filler: str | None


@dataclass(frozen=True, slots=True)
class Tool:
    """Offer one function to the model: its name, what it is for, and what it takes.

    ``parameters`` is a JSON schema. ``function`` is the function itself, for calling it directly.
    ``missing`` names the variables of the environment that it needs and that are not set.
    """

    name: str
    description: str
    function: Callable[..., Any]
    _arguments: ArgumentReader = field(repr=False)
    options: ToolOptions = USUAL
    missing: tuple[str, ...] = ()
    _threads: ToolThreads = field(default_factory=ToolThreads, repr=False, compare=False)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the JSON schema of the arguments, as the realtime API takes it."""
        return self._arguments.schema

    async def invoke(self, arguments_json: str, context: CallContext) -> str:
        """Call the function and return its result as JSON for the model, at most 16 KiB.

        A plain function runs in a thread, which goes on even if this call is cancelled; an async
        one runs on the loop, under a watchdog. Raises ToolArgumentsInvalid, ToolFailed for a
        result that is not JSON, and whatever the function itself raises.
        """
        if self.missing:
            raise ToolFailed(f"{self.name} is not set up. Tell the caller, and do without it.")
        arguments = self._arguments.parse(arguments_json)
        if self._arguments.context_name is not None:
            arguments[self._arguments.context_name] = context
        try:
            result = await self._call(arguments)
        except SystemExit as error:  # a tool may end itself, not the bridge
            raise ToolFailed(f"{self.name} ended with SystemExit") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ToolFailed(f"{self.name} cancelled itself") from error
        return as_output(self.name, result)

    async def _call(self, arguments: Mapping[str, Any]) -> Any:
        work = partial(self.function, **arguments)
        if inspect.iscoroutinefunction(self.function):
            return await watched(self.name, self.function, work())
        result = await self._threads.run(self.name, work)
        if inspect.isawaitable(result):  # an async function in a plain wrapper
            return await watched(self.name, self.function, result)
        return result


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None, **options: Unpack[OptionWords]
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    **options: Unpack[OptionWords],
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a Tool of a function, from its signature and docstring.

    The model reads the docstring up to ``Args:``; a parameter is described there or by
    ``Annotated[T, "words"]``. A parameter of type CallContext is filled in and not shown. The
    ``options`` are those of ToolOptions. Raises ConfigError for a function that cannot be offered
    as a tool.
    """

    def make(function: Callable[..., Any]) -> Tool:
        summary, descriptions = _docstring(function)
        offered = name or str(getattr(function, "__name__", type(function).__name__))
        if not inspect.isroutine(function) or _is_generator(function):
            raise unusable(offered, "it is no plain function")
        check_name(offered)
        told = description or summary
        if not told:
            raise unusable(offered, "it needs a docstring, which tells the model when to call it")
        arguments = Arguments.of_function(offered, function, descriptions)
        return Tool(offered, told, function, arguments, _options(offered, options))

    return make if function is None else make(function)


def check_name(name: str) -> None:
    """Raise ConfigError for a name that the realtime API refuses."""
    if not _NAME.fullmatch(name):
        raise unusable(name, "a name is 1 to 64 letters, digits, _ and -")


def _options(tool: str, options: OptionWords) -> ToolOptions:
    try:
        return ToolOptions(**options)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise unusable(tool, f"the option {fault['loc'][0]}: {fault['msg']}") from None


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

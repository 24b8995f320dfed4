"""A function becomes a tool: schema from its signature, arguments checked, results as text."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from voicebridge.errors import ConfigError, ToolArgumentsInvalid, ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import MAX_OUTPUT_BYTES
from voicebridge.tools.tool import Tool, ToolOptions, tool

CONTEXT = CallContext(
    call_id="c1", caller="+15550100001", called="+15550100002", persona="desk", hang_up=print
)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Guest(BaseModel):
    name: str
    colour: Colour = Colour.RED


class Cash(BaseModel):
    kind: Literal["cash"]


class Card(BaseModel):
    kind: Literal["card"]
    digits: str


class Node(BaseModel):
    title: str
    inner: list[Node] = []


@dataclass
class Table:
    seats: int
    free_from: time


@tool
async def book(
    day: Annotated[date, "The day of the visit."],
    guest: Guest,
    seats: Annotated[int, Field(ge=1, le=12)] = 2,
    *,
    context: CallContext,
    title: str | None = None,
) -> dict[str, Any]:
    """Book a table.

    Only after the caller has confirmed.

    Args:
        guest: Who comes, by the name
            that was given.
        seats (int): How many.

    Returns:
        day: This is not about the argument.
    """
    return {"day": day, "guest": guest, "seats": seats, "by": context.caller, "title": title}


def test_the_schema_says_what_the_model_may_pass() -> None:
    assert book.name == "book"
    assert book.description == "Book a table.\n\nOnly after the caller has confirmed."
    assert book.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["day", "guest"],
        "properties": {
            "day": {"type": "string", "format": "date", "description": "The day of the visit."},
            "guest": {
                "type": "object",
                "description": "Who comes, by the name that was given.",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                },
            },
            "seats": {
                "type": "integer",
                "minimum": 1,
                "maximum": 12,
                "default": 2,
                "description": "How many.",
            },
            "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
    }


def test_a_function_without_arguments_has_an_empty_schema() -> None:
    @tool
    def ping() -> str:
        """Answer."""
        return "pong"

    assert ping.parameters == {"type": "object", "additionalProperties": False, "properties": {}}


def test_a_definition_that_contains_itself_stays_a_reference() -> None:
    @tool
    def plant(tree: Node, twin: Node) -> str:
        """Plant it."""
        return tree.inner[0].title + twin.title

    assert plant.parameters["properties"]["tree"] == {"$ref": "#/$defs/Node"}
    assert set(plant.parameters["$defs"]["Node"]["properties"]) == {"title", "inner"}
    assert "title" not in plant.parameters["$defs"]["Node"]


def test_alternatives_are_written_out_where_they_are_used() -> None:
    @tool
    def pay(way: Annotated[Cash | Card, Field(discriminator="kind")]) -> str:
        """Pay."""
        return way.kind

    schema = json.dumps(pay.parameters)
    assert "$ref" not in schema
    assert "$defs" not in schema
    assert "discriminator" not in schema
    assert "digits" in schema


@pytest.mark.parametrize("name", ["json", "copy", "schema", "model_config", "self", "_private"])
def test_a_parameter_may_have_any_name(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def echo({name}: str) -> str:\n    'Echo.'\n    return {name}", space)
    echo = tool(space["echo"])
    assert list(echo.parameters["properties"]) == [name]
    assert asyncio.run(echo.invoke(json.dumps({name: "x"}), CONTEXT)) == '"x"'


async def test_arguments_arrive_as_the_types_that_were_asked_for() -> None:
    output = await book.invoke('{"day": "2030-01-02", "guest": {"name": "Ann"}}', CONTEXT)
    assert json.loads(output) == {
        "day": "2030-01-02",
        "guest": {"name": "Ann", "colour": "red"},
        "seats": 2,
        "by": "+15550100001",
        "title": None,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", ["'day' is missing", "'guest' is missing"]),
        ("{", ["they are not valid JSON"]),
        ("[]", ["they must be one JSON object"]),
        ("null", ["they must be one JSON object"]),
        ('{"day": "soon", "guest": {"name": "A"}}', ["'day' should be a valid date"]),
        ('{"day": "2030-01-02", "guest": {}}', ["'guest.name' is missing"]),
        ('{"day": "2030-01-02", "guest": {"name": "A"}, "dy": 1}',
         ["there is no argument 'dy' (there is: day, guest, seats, title)"]),
        ('{"day": "2030-01-02", "guest": {"name": "A"}, "context": {}}', ["argument 'context'"]),
        ('{"day": "2030-01-02", "guest": {"name": "A"}, "seats": 13}',
         ["'seats' should be less than or equal to 12"]),
        ('{"day": "2030-01-02", "guest": {"name": "A", "colour": "green"}}',
         ["'guest.colour' should be 'red' or 'blue'"]),
    ],
)  # fmt: skip
async def test_wrong_arguments_are_refused_in_words_for_the_model(arguments, words) -> None:
    with pytest.raises(ToolArgumentsInvalid) as caught:
        await book.invoke(arguments, CONTEXT)
    assert str(caught.value).startswith("The arguments of book are not valid: ")
    for part in words:
        assert part in str(caught.value)


async def test_of_very_many_wrong_arguments_a_few_are_told() -> None:
    with pytest.raises(ToolArgumentsInvalid) as caught:
        await book.invoke(json.dumps({f"x{n}": n for n in range(500)}), CONTEXT)
    assert len(str(caught.value)) < 1000


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["day", "2030-01-02"]),
    lambda inner: st.dictionaries(st.sampled_from(["day", "guest", "name", "seats"]), inner),
).map(json.dumps))  # fmt: skip
def test_whatever_the_model_passes_is_accepted_or_refused_as_invalid(arguments: str) -> None:
    outcome = asyncio.run(outcome_of(book, arguments))
    assert isinstance(outcome, ToolArgumentsInvalid) or json.loads(outcome)["by"] == CONTEXT.caller


async def outcome_of(one: Tool, arguments: str) -> str | ToolArgumentsInvalid:
    try:
        return await one.invoke(arguments, CONTEXT)
    except ToolArgumentsInvalid as error:
        return error


async def test_a_plain_function_runs_off_the_event_loop() -> None:
    @tool
    def where() -> int:
        """Tell the thread."""
        return threading.get_ident()

    assert await where.invoke("", CONTEXT) != str(threading.get_ident())


async def test_an_async_function_runs_on_the_event_loop_even_in_a_plain_wrapper() -> None:
    async def where() -> int:
        """Tell the thread."""
        return threading.get_ident()

    @functools.wraps(where)
    def wrapped() -> Any:
        return where()

    assert await tool(where).invoke("", CONTEXT) == str(threading.get_ident())
    assert await tool(wrapped).invoke("", CONTEXT) == str(threading.get_ident())


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is: \u00e9", '"as it is: \u00e9"'),
        ("", '""'),
        ('{"is": ["JSON"]}', '{"is":["JSON"]}'),
        ("[1, 2", '"[1, 2"'),
        ("line\r\nline", '"line\\nline"'),
        (None, "null"),
        (12, "12"),
        (float("nan"), "null"),
        ({"at": datetime(2030, 1, 2, 3, 4)}, '{"at":"2030-01-02T03:04:00"}'),
        (Table(2, time(18, 30)), '{"seats":2,"free_from":"18:30:00"}'),
        ([Guest(name="A", colour=Colour.BLUE)], '[{"name":"A","colour":"blue"}]'),
        ("half \ud800", '"half "'),
        ({"is\x00 \u202ehidden": ["a\u200bb"]}, '{"is hidden":["ab"]}'),
    ],
)
async def test_a_result_becomes_text(result, text) -> None:
    @tool
    async def give() -> Any:
        """Give it."""
        return result

    assert await give.invoke("{}", CONTEXT) == text


def endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "result", [object(), {"x": threading.Lock()}, b"\xff", endless(), print, iter([1])]
)
async def test_a_result_that_is_not_json_is_a_failed_tool(result) -> None:
    @tool
    async def give() -> Any:
        """Give it."""
        return result

    with pytest.raises(ToolFailed, match="give gave a result that cannot be written as JSON"):
        await give.invoke("", CONTEXT)


@pytest.mark.parametrize("sign", ["x", "\u00e9", "\U0001f600", '"', "\\", "\n"])
async def test_a_very_long_result_is_cut_between_signs_and_says_so(sign: str) -> None:
    @tool
    async def give() -> str:
        """Give it."""
        return sign * 20_000

    output = await give.invoke("", CONTEXT)
    assert MAX_OUTPUT_BYTES - 16 < len(output.encode()) <= MAX_OUTPUT_BYTES
    told = json.loads(output)
    assert told["cut"] == "cut here: more than 16384 bytes"
    assert set(told["beginning"]) == {sign}


async def test_a_result_of_just_the_allowed_size_is_whole() -> None:
    text = "x" * (MAX_OUTPUT_BYTES - 2)  # the quotes count

    @tool
    async def give() -> str:
        """Give it."""
        return text

    assert await give.invoke("", CONTEXT) == f'"{text}"'


async def test_the_functions_own_error_comes_out_as_it_is() -> None:
    @tool
    def fail() -> str:
        """Fail."""
        raise LookupError("no such table")

    with pytest.raises(LookupError, match="no such table"):
        await fail.invoke("", CONTEXT)


async def test_an_exhausted_iterator_in_a_thread_does_not_wait_for_ever() -> None:
    @tool
    def fail() -> str:
        """Fail."""
        return next(iter(()))

    with pytest.raises(ToolFailed, match="ended with StopIteration"):
        await asyncio.wait_for(fail.invoke("", CONTEXT), timeout=5)


def test_name_and_description_can_be_given() -> None:
    @tool(name="find-table", description="Find one.")
    def find() -> str:
        return ""

    assert (find.name, find.description) == ("find-table", "Find one.")
    assert find.function() == ""


def undocumented() -> None: ...


def unhinted(day) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def many(*days: str) -> None:
    """Do."""


def open_ended(**days: str) -> None:
    """Do."""


def positional(day: str, /) -> None:
    """Do."""


def unknown_hint(day: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Do."""


def no_schema(lock: threading.Event) -> None:
    """Do."""


async def stream() -> AsyncIterator[str]:
    """Do."""
    yield ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (undocumented, "needs a docstring"),
        (unhinted, "'day' needs a type hint"),
        (many, "'days' must be an ordinary named parameter"),
        (open_ended, "'days' must be an ordinary named parameter"),
        (positional, "'day' must be an ordinary named parameter"),
        (unknown_hint, "type hints cannot be resolved"),
        (no_schema, "has no JSON schema"),
        (stream, "it is no plain function"),
        (functools.partial(print), "it is no plain function"),
    ],
)
def test_what_cannot_be_offered_to_a_model_is_refused_when_it_is_made(function, words) -> None:
    with pytest.raises(ConfigError, match=words):
        tool(function)


def test_a_name_that_the_api_refuses_is_refused_here() -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        tool(name="find table")(undocumented)


def test_options_say_how_a_tool_behaves_in_a_call() -> None:
    @tool(timeout_s=3, cancellable=True, confirm=True, filler="One moment, I look that up.")
    def find() -> str:
        """Find."""
        return ""

    assert find.options == ToolOptions(
        timeout_s=3, cancellable=True, confirm=True, filler="One moment, I look that up."
    )
    assert tool(many_words).options == ToolOptions()


def many_words(day: str) -> None:
    """Do."""


@pytest.mark.parametrize(
    "options", [{"timeout_s": 0}, {"timeout_s": 121}, {"filler": ""}, {"confirms": True}]
)
def test_an_option_that_cannot_be_is_refused_when_the_tool_is_made(options) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"'many_words' cannot be used: the option {name}"):
        tool(**options)(many_words)


async def leave() -> None:
    """Leave."""
    raise SystemExit(3)


async def give_up() -> None:
    """Give up."""
    raise asyncio.CancelledError


def leave_in_a_thread() -> None:
    """Leave."""
    raise SystemExit(3)


@pytest.mark.parametrize("function", [leave, give_up, leave_in_a_thread])
async def test_a_tool_that_would_end_more_than_itself_has_failed(function) -> None:
    with pytest.raises(ToolFailed):
        await asyncio.wait_for(tool(function).invoke("", CONTEXT), timeout=5)


async def test_a_call_that_is_cancelled_from_outside_is_cancelled() -> None:
    begun = asyncio.Event()

    @tool
    async def wait() -> None:
        """Wait."""
        begun.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(wait.invoke("", CONTEXT))
    await asyncio.wait_for(begun.wait(), timeout=5)
    call.cancel()
    await asyncio.wait({call}, timeout=5)
    assert call.cancelled()

"""The tools that act on the call: what they ask of the line, and what they refuse."""

import json
from typing import Any

import pytest

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.personas.destinations import Destination
from voicebridge.tools.context import CallContext
from voicebridge.tools.line import NoLine
from voicebridge.tools.registry import ToolRegistry


class RecordingLine:
    """Keeps what is asked of it; the caller types ``typed``."""

    def __init__(self, typed: str = "") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._typed = typed

    def transfer(self, number: str) -> None:
        self.asked.append(("transfer", number))

    def hand_over(self) -> None:
        self.asked.append(("hand_over",))

    def press(self, keys: str) -> None:
        self.asked.append(("press", keys))

    def hold(self, longest_s: float) -> None:
        self.asked.append(("hold", longest_s))

    def resume(self) -> None:
        self.asked.append(("resume",))

    async def collect_keys(self, most: int, *, ends_with: str = "#", within_s: float = 20) -> str:
        self.asked.append(("collect", most))
        return self._typed


def call_with(line: RecordingLine | NoLine) -> CallContext:
    return CallContext(
        "c1",
        "+15550100001",
        "+15550100002",
        "desk",
        hang_up=lambda reason: None,
        line=line,
        destinations={"dentist": Destination(number="+15550100020")},
    )


async def use(name: str, arguments: dict[str, Any], context: CallContext) -> Any:
    tool = ToolRegistry.with_builtins().get(name)
    return json.loads(await tool.invoke(json.dumps(arguments), context))


async def test_a_caller_is_transferred_to_a_named_destination_only() -> None:
    line = RecordingLine()
    await use("transfer", {"destination": "dentist"}, call_with(line))
    assert line.asked == [("transfer", "+15550100020")]
    for trick in ("+19005550100", "Dentist", "sip:dentist@example.com", "+15550100020"):
        with pytest.raises(ToolFailed, match="the destinations are: dentist"):
            await use("transfer", {"destination": trick}, call_with(line))
    assert len(line.asked) == 1


async def test_keys_are_pressed_only_if_a_telephone_has_them() -> None:
    line = RecordingLine()
    await use("send_dtmf", {"keys": "1w2#"}, call_with(line))
    assert line.asked == [("press", "1w2#")]
    for trick in ("", "12a", "1" * 33, "\u0661"):
        with pytest.raises(ToolFailed):
            await use("send_dtmf", {"keys": trick}, call_with(line))


async def test_secret_digits_reach_the_tools_and_not_the_model() -> None:
    context = call_with(RecordingLine("4111111111111111"))
    told = await use("collect_digits", {"name": "card", "most": 16}, context)
    assert told == {"collected": "card", "length": 16}
    assert context.secrets == {"card": "4111111111111111"}
    assert "4111" not in repr(context)


async def test_digits_that_are_no_secret_are_told() -> None:
    context = call_with(RecordingLine("42"))
    told = await use("collect_digits", {"name": "menu", "most": 2, "secret": False}, context)
    assert told == {"collected": "menu", "digits": "42"}
    assert context.variables == {"menu": "42"}


async def test_a_hold_has_an_end_and_can_be_ended() -> None:
    line = RecordingLine()
    await use("hold", {"seconds": 30}, call_with(line))
    await use("resume", {}, call_with(line))
    assert line.asked == [("hold", 30), ("resume",)]
    with pytest.raises(ToolArgumentsInvalid):
        await use("hold", {"seconds": 3600}, call_with(line))


async def test_messages_and_variables_are_kept() -> None:
    context = call_with(RecordingLine())
    taken = await use("take_message", {"message": "Call me", "call_back": "555"}, context)
    assert taken == {"taken": "Call me", "from": "", "call_back": "555"}
    assert await use("set_variable", {"name": "room", "value": "7"}, context) == {"room": "7"}
    assert context.variables == {"room": "7"}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transfer", {"destination": "dentist"}),
        ("send_dtmf", {"keys": "1"}),
        ("collect_digits", {"name": "card", "most": 4}),
        ("hold", {}),
        ("resume", {}),
    ],
)
async def test_outside_a_call_there_is_no_line(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolFailed, match="there is no"):
        await use(name, arguments, call_with(NoLine()))

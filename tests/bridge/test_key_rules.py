"""From a persona's keys to what they do in its calls, and what is refused before the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from voicebridge.bridge.caller_keys import check_keys, key_rules
from voicebridge.call.keys import KeyRules, KeyUse
from voicebridge.errors import ConfigError
from voicebridge.personas.caller_keys import CallerKeys
from voicebridge.personas.layers import load_persona
from voicebridge.personas.persona import Persona
from voicebridge.tools.registry import ToolRegistry
from voicebridge.tools.tool import Tool, tool


def taking(**options: Any) -> Tool:
    async def named(keys: Annotated[str, "what was typed"], how: str = "plain") -> str:
        """Take keys, and something that may be left out."""
        return keys + how

    return tool(name="named", **options)(named)


@tool
async def single(number: str) -> str:
    """Take one text, whatever it is called."""
    return number


@tool
async def counting(number: int) -> str:
    """Take a number."""
    return str(number)


@tool
async def two(first: str, second: str) -> str:
    """Take two texts."""
    return first + second


@tool
async def nothing() -> str:
    """Take nothing."""
    return ""


def read(folder: Path, keys: str, tools: str = "[]") -> Persona:
    file = folder / "desk.yaml"
    file.write_text(f"name: Desk\ninstructions: Be kind.\ntools: {tools}\nkeys: {keys}\n")
    return load_persona(file).persona


@pytest.mark.parametrize(
    ("written", "wished"),
    [
        ("text", CallerKeys()),
        ("ignore", CallerKeys(mode="ignore")),
        ("{tool: single}", CallerKeys(mode="tool", tool="single")),
        ("{interrupt: false, pause_ms: 800}", CallerKeys(interrupt=False, pause_ms=800)),
    ],
)
def test_a_plain_word_and_a_tool_alone_say_enough(
    tmp_path: Path, written: str, wished: CallerKeys
) -> None:
    assert read(tmp_path, written, "[single]").keys == wished


@pytest.mark.parametrize(
    "written",
    ["tool", "{mode: tool}", "{mode: text, tool: single}", "loud", "{pause_ms: 10}", "3", "[text]"],
)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, written)
    assert refused.value.line == 4
    assert (refused.value.key or "").startswith("keys")


def test_a_file_that_lies_over_another_replaces_the_whole_choice(tmp_path: Path) -> None:
    (tmp_path / "_house.yaml").write_text("keys: {tool: single, pause_ms: 400}\n")
    file = tmp_path / "desk.yaml"
    file.write_text("extends: _house.yaml\nname: Desk\ninstructions: Be kind.\nkeys: ignore\n")
    assert load_persona(file).persona.keys == CallerKeys(mode="ignore")


@pytest.mark.parametrize(
    ("wished", "rules"),
    [
        (CallerKeys(), KeyRules()),
        (CallerKeys(mode="ignore"), KeyRules(KeyUse.IGNORED)),
        (CallerKeys(interrupt=False, pause_ms=800), KeyRules(interrupts=False, pause_s=0.8)),
        (CallerKeys(mode="tool", tool="single"), KeyRules(KeyUse.TOOL, "single", "number")),
        (CallerKeys(mode="tool", tool="named"), KeyRules(KeyUse.TOOL, "named", "keys")),
        (CallerKeys(mode="tool", tool="away"), KeyRules()),
    ],
)
def test_rules_follow_from_the_persona_and_its_tools(wished: CallerKeys, rules: KeyRules) -> None:
    assert key_rules(wished, [taking(), single]) == rules


SURE = taking(confirm=True)


@pytest.mark.parametrize(
    ("wanted", "tools", "told"),
    [
        ("singel", [single], "'singel' is not among the persona's tools; did you mean 'single'?"),
        ("counting", [counting], "the tool 'counting' cannot take keys"),
        ("two", [two], "the tool 'two' cannot take keys"),
        ("nothing", [nothing], "the tool 'nothing' cannot take keys"),
        ("named", [SURE], "the tool 'named' asks for the caller's consent"),
    ],
)
def test_a_tool_that_could_not_take_them_is_refused_before_the_first_call(
    wanted: str, tools: list[Tool], told: str
) -> None:
    persona = Persona(
        name="Desk",
        instructions="Be kind.",
        tools=tuple(each.name for each in tools),
        keys=CallerKeys(mode="tool", tool=wanted),
    )
    with pytest.raises(ConfigError) as refused:
        check_keys(persona, ToolRegistry(tools))
    assert refused.value.message.startswith(told)
    assert refused.value.key == "keys.tool"


@pytest.mark.parametrize("each", [taking(), single], ids=lambda each: each.name)
def test_a_tool_that_takes_one_text_is_taken(each: Tool) -> None:
    keys = CallerKeys(mode="tool", tool=each.name)
    persona = Persona(name="Desk", instructions="Be kind.", tools=(each.name,), keys=keys)
    check_keys(persona, ToolRegistry([each]))

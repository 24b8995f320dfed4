"""The registry finds tools by name, and loads dotted paths when they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebridge.errors import ConfigError
from voicebridge.tools.builtin.hang_up import hang_up
from voicebridge.tools.registry import ToolRegistry

MODULE = '''
from voicebridge.tools.tool import tool

@tool
def find_table(seats: int) -> str:
    """Find a table."""
    return "yes"

@tool(name="hang_up")
def leave() -> str:
    """Leave."""
    return ""

def plain() -> None:
    """Do nothing."""

number = 1
'''


@pytest.fixture
def importable(tmp_path: Path, monkeypatch):
    """Put modules where an import finds them, under names that no other test uses."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    return write


def test_the_built_in_tools_are_found_by_name() -> None:
    tools = ToolRegistry.with_builtins().for_persona(["opening_hours", "hang_up"])
    assert [tool.name for tool in tools] == ["opening_hours", "hang_up"]
    assert ToolRegistry.with_builtins().for_persona([]) == ()


def test_two_tools_cannot_have_one_name() -> None:
    with pytest.raises(ConfigError, match="two tools named 'hang_up'"):
        ToolRegistry([hang_up, hang_up])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangup", "unknown tool 'hangup'; did you mean 'hang_up'?"),
        ("zzz", "unknown tool 'zzz'; there is: collect_digits, hang_up, hold, opening_hours"),
        ("a.b:", "as 'package.module:function'"),
        ("../x:y", "as 'package.module:function'"),
        (":y", "as 'package.module:function'"),
    ],
)
def test_an_unknown_tool_is_told_with_the_nearest_name(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ToolRegistry.with_builtins().for_persona(["hang_up", name])
    assert words in str(caught.value)
    assert caught.value.key == "tools[1]"


def test_a_dotted_path_is_loaded_when_it_is_named(importable) -> None:
    importable("harbour_tools", MODULE)
    tools = ToolRegistry.with_builtins().for_persona(["hang_up", "harbour_tools:find_table"])
    assert [tool.name for tool in tools] == ["hang_up", "find_table"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["hang_up", "hang_up"], "'hang_up' is listed twice"),
        (["hang_up", "quay_tools:leave"], "'hang_up' is listed twice"),
        (["hang_up", "quay_tools:find_tabel"], "did you mean 'find_table'?"),
        (["hang_up", "quay_tools:plain"], "decorate the function with @tool"),
        (["hang_up", "quay_tools:number"], "unknown tool in quay_tools 'number'"),
        (["hang_up", "quay_toolz:x"], "no module 'quay_toolz'"),
        (["hang_up", "nowhere_at_all.tools:x"], "no module 'nowhere_at_all'"),
        (["hang_up", "broken_tools:x"], "importing 'broken_tools' failed: ZeroDivisionError"),
        (["hang_up", "unparsed_tools:x"], "importing 'unparsed_tools' failed: SyntaxError"),
        (["hang_up", "needy_tools:x"], "importing 'needy_tools' failed: No module named 'nix_x'"),
        (["hang_up", "unfit_tools:x"], "'unfit_tools:x': the tool 'x' cannot be used"),
    ],
)
def test_a_tool_that_cannot_be_loaded_says_why(importable, names, words) -> None:
    importable("quay_tools", MODULE)
    importable("broken_tools", "1 / 0")
    importable("unparsed_tools", "def")
    importable("needy_tools", "import nix_x")
    importable("unfit_tools", "from voicebridge.tools.tool import tool\n@tool\ndef x(): ...\n")
    with pytest.raises(ConfigError) as caught:
        ToolRegistry.with_builtins().for_persona(names)
    assert words in str(caught.value)
    assert caught.value.key == "tools[1]"

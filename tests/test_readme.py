"""The README's examples are executed and its map is the house."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.scenario import standing_agent
from voicebridge.rehearsal.voice import Voice
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def example(word: str) -> dict[str, Any]:
    """Run the one example in which a word occurs and return its names."""
    (text,) = [text for text in EXAMPLES if word in text]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, "README.md", "exec"), names)
    return names


async def test_the_tool_of_the_readme_is_a_tool() -> None:
    tool = example("order_status")["order_status"]
    assert isinstance(tool, Tool)
    assert tool.parameters["required"] == ["number"]
    context = CallContext("c", "+1", "+2", "p", hang_up=lambda reason: None)
    output = await tool.invoke('{"number": "A-1042"}', context)
    assert json.loads(output)["status"] == "on its way"


async def test_the_client_of_the_readme_gets_an_answer() -> None:
    async with RealtimeServer(standing_agent(), Voice(variant="f3"), pace=50) as server:
        assert await example("one_answer")["one_answer"](server.url, "any") == "completed"


def test_the_map_names_every_folder_and_no_other() -> None:
    named = set(re.findall(r"^\| `voicebridge/(\w+)`", README, re.MULTILINE))
    there = {path.parent.name for path in (ROOT / "voicebridge").glob("*/__init__.py")}
    assert named == there


def test_every_linked_page_is_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("command", ["", "rehearse", "serve", "check"])
def test_every_command_of_the_readme_explains_itself(command: str) -> None:
    arguments = [sys.executable, "-m", "voicebridge", *filter(None, [command]), "--help"]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.startswith("usage: voicebridge")
    for option in re.findall(rf"voicebridge {command} (--[a-z-]+)", README):
        assert option in told.stdout

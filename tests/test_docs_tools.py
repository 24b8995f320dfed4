"""docs/tools.md is done as it is written, by the shell, from its first line to its last."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tools.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w./-]+\.(?:py|yaml))\n")
MARK = "----8<----"


def script() -> tuple[str, list[list[str]]]:
    """Return the page as a script, and for each of its commands' outputs the lines it must hold."""
    steps: list[str] = ["set -euo pipefail"]
    expected: list[list[str]] = []
    for language, text in BLOCK.findall(PAGE):
        named = FILE.match(text)
        if language == "sh":
            steps += [text.replace("uv run ", ""), f"echo '{MARK}'"]
            expected.append([])
        elif language == "text":
            expected[-1] += text.splitlines()
        elif named:
            steps.append(f"mkdir -p $(dirname {named[1]})\ncat > {named[1]} <<'END'\n{text}END")
    return "\n".join(steps), expected


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Do everything that the page says; returns where, and what each command printed."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "config", folder / "config")
    programs = Path(sys.executable).parent
    env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    told = subprocess.run(
        ["bash"], input=script()[0], cwd=folder, env=env, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    return folder, told.stdout.split(MARK)[:-1]


@pytest.mark.slow
def test_every_command_prints_what_the_page_shows(done: tuple[Path, list[str]]) -> None:
    _, outputs = done
    expected = script()[1]
    assert len(outputs) == len(expected) >= 6
    for output, lines in zip(outputs, expected, strict=True):
        for line in lines:
            assert line.strip() in output, output


@pytest.mark.slow
def test_the_tool_was_used_in_the_call(done: tuple[Path, list[str]]) -> None:
    folder, _ = done
    (record,) = (folder / "rehearsal-order").rglob("record.json")
    tools = json.loads(record.read_text())["tools"]
    assert [tool["name"] for tool in tools] == ["order_status", "hang_up"]
    assert "on its way" in str(tools[0])


def test_the_page_writes_files_of_every_kind() -> None:
    written = {match[1] for _, text in BLOCK.findall(PAGE) if (match := FILE.match(text))}
    assert {Path(name).parent.as_posix() for name in written} == {
        "plugins", "config/personas", "config/rehearsals", "config/tools", "config/mcp",
    }  # fmt: skip


def test_the_page_tells_every_option() -> None:
    from voicebridge.tools.tool import ToolOptions

    for option in ToolOptions.model_fields:
        assert f"| `{option}` |" in PAGE

"""``voicebridge tools`` lists tools, shows one, and tries one outside a call."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from voicebridge.cli.check import run_check
from voicebridge.cli.main import main
from voicebridge.cli.tools import run_list, run_show, signature
from voicebridge.errors import ConfigError

HTTP_TOOL = """
description: Tell the stock.
url: https://shop.example.com/stock/{item}
headers: {X-Key: "${env:STOCK_KEY}"}
arguments: {item: {description: Which.}}
"""
MODULE = '''
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool

__version__ = "3"

@tool(timeout_s=5)
def who(context: CallContext, greeting: str = "Hello") -> str:
    """Tell who calls."""
    context.hang_up("all said")
    return f"{greeting} {context.caller} for {context.business.name}"

@tool
def fail() -> str:
    """Fail."""
    from voicebridge.errors import ToolFailed
    raise ToolFailed("The shop is closed.")
'''


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The command sets the log up for a whole process; give the other tests theirs back."""
    before, root = structlog.get_config(), logging.getLogger()
    level, handlers = root.level, root.handlers
    yield
    structlog.configure(**before)
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def config(tmp_path: Path, monkeypatch) -> Path:
    """A configuration with a tool of each kind that needs no server."""
    for folder in ("config/tools", "config/personas", "path"):
        (tmp_path / folder).mkdir(parents=True)
    config = tmp_path / "config"
    (config / "voicebridge.yaml").write_text(
        "default_persona: desk\ntools: {plugins: ['desk_tools_of_a_test:who']}\n"
    )
    (config / "tools" / "stock.yaml").write_text(HTTP_TOOL)
    (config / "personas" / "desk.yaml").write_text(
        "name: Desk\ninstructions: Be brief.\nbusiness: {name: Harbour}\ntools: [who, stock]\n"
    )
    (tmp_path / "path" / "desk_tools_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.chdir(tmp_path)
    return Path("config")


def test_the_list_has_a_row_for_each_tool_in_columns(config: Path) -> None:
    out = io.StringIO()
    assert run_list(config, {}, out) == 0
    rows = out.getvalue().splitlines()
    names = [row.split()[0] for row in rows]
    assert names == ["NAME", *sorted(names[1:])]
    assert {"hang_up", "opening_hours", "transfer", "stock", "who"} < set(names)
    starts = {row.index(word) for row, word in zip(rows, ("SOURCE", "voicebridge"), strict=False)}
    assert len(starts) == 1
    stock = rows[names.index("stock")]
    assert "config/tools/stock.yaml" in stock
    assert stock.endswith("item: string  (not set: STOCK_KEY)")
    assert "desk_tools_of_a_test:who" in rows[names.index("who")]
    assert rows[names.index("who")].endswith('greeting: string = "Hello"')


def test_everything_that_the_model_is_told_of_a_tool_can_be_shown(config: Path) -> None:
    out = io.StringIO()
    run_show(config, "who", {}, out)
    told = json.loads(out.getvalue())
    assert told["description"] == "Tell who calls."
    assert told["timeout_s"] == 5
    assert list(told["parameters"]["properties"]) == ["greeting"]


def test_a_tool_is_tried_with_its_arguments_for_a_persona(config: Path, capsys) -> None:
    status = main(["tools", "run", "who", '{"greeting": "Hi"}', "--caller", "+15550109999"])
    told = capsys.readouterr()
    assert (status, told.out) == (0, '"Hi +15550109999 for Harbour"\n')
    assert "(it hangs up: all said)" in told.err
    assert "bytes" in told.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["who", '{"greting": "Hi"}'], 1, "there is no argument 'greting' (there is: greeting)"),
        (["who", "{"], 1, "they are not valid JSON"),
        (["desk_tools_of_a_test:fail"], 1, "the model would be told: The shop is closed."),
        (["stock", '{"item": "x"}'], 1, "stock is not set up"),
        (["whom"], 2, "unknown tool 'whom'; did you mean 'who'?"),
        (["who", "{}", "--persona", "dsk"], 2, "dsk.yaml"),
    ],
)
def test_a_tool_that_brings_nothing_says_why(config, capsys, arguments, status, words) -> None:
    assert main(["tools", "run", *arguments]) == status
    assert words in capsys.readouterr().err


def test_check_lists_the_tools_files_and_what_is_wrong_with_them(config: Path) -> None:
    out = io.StringIO()
    assert run_check(config, {}, out) == 0
    assert "✓ config/tools/stock.yaml" in out.getvalue()
    assert "GET https://shop.example.com/stock/{item}" in out.getvalue()
    assert "STOCK_KEY" in out.getvalue().split("not set:")[1]
    (config / "tools" / "stock.yaml").write_text(HTTP_TOOL.replace("https:", "http:"))
    settings = config / "voicebridge.yaml"
    settings.write_text(settings.read_text().replace(":who", ":how"))
    out = io.StringIO()
    assert run_check(config, {}, out) == 1
    told = out.getvalue()
    assert (
        "config/voicebridge.yaml:2: tools.plugins[0]: unknown tool in desk_tools_of_a_test" in told
    )
    assert "for a service without it say 'allow_http: true'" in told
    assert "config/personas/desk.yaml:4: tools[1]: unknown tool 'stock'" in told


def test_a_folder_without_settings_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        run_list(tmp_path, {}, io.StringIO())


def test_a_signature_is_one_line_of_what_can_be_passed() -> None:
    assert signature({"properties": {}}) == ""
    assert signature(
        {
            "required": ["day", "tags"],
            "properties": {
                "day": {"type": "string", "format": "date"},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                "count": {"type": "integer", "default": 2},
                "any": True,
            },
        }
    ) == "day: date, tags: [a|b], note?: string, count: integer = 2, any"  # fmt: skip

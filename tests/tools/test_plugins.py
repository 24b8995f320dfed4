"""Plugins are loaded when the configuration names them, and never from the working directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from voicebridge.errors import ConfigError
from voicebridge.tools.loading import load_tools, tools_of
from voicebridge.tools.plugins import Origin, load_plugin

MODULE = '''
from voicebridge.tools.tool import tool

@tool
def find_table(seats: int) -> str:
    """Find a table."""
    return "yes"

@tool
def book_table(seats: int) -> str:
    """Book a table."""
    return "done"

TABLES = [find_table, book_table]
number = 1
MIXED = [find_table, 1]
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch):
    """Install a package under names that no other test uses: its module and its entry points."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def install(module: str, points: str, name: str, text: str = MODULE) -> None:
        info = site / f"{name}-2.5.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (site / f"{module}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
        (info / "top_level.txt").write_text(module)
        (info / "RECORD").write_text(f"{module}.py,,\n")
        (info / "entry_points.txt").write_text(f"[voicebridge.tools]\n{points}\n")

    return install


def names(found) -> list[str]:
    return [tool.name for tool, _ in found]


def test_an_entry_point_leads_to_a_tool_a_list_or_a_module(installed) -> None:
    points = "one = lagoon_a:find_table\nlist = lagoon_a:TABLES\nmodule = lagoon_a"
    installed("lagoon_a", points, "lagoon")
    assert names(load_plugin("one")) == ["find_table"]
    assert (
        names(load_plugin("list")) == names(load_plugin("module")) == ["find_table", "book_table"]
    )
    assert load_plugin("one")[0][1] == Origin("one (lagoon)", "2.5")


def test_a_path_leads_to_one_tool_or_to_all_of_a_module(installed) -> None:
    installed("lagoon_b", "", "lagoon")
    assert names(load_plugin("lagoon_b:book_table")) == ["book_table"]
    assert load_plugin("lagoon_b:book_table")[0][1] == Origin("lagoon_b:book_table", "2.5")


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("lagon", "no plugin 'lagon' is installed; did you mean 'lagoon'?"),
        ("number", "the plugin 'number' has no tools"),
        ("nothing", "the plugin 'nothing' has no tools"),
        ("mixed", "lists something that is no tool"),
        ("away", "no module 'lagoon_gone'"),
        ("lagoon.", "as 'package.module:function'"),
        ("lagoon_c:number", "unknown tool in lagoon_c 'number'; there is: book_table, find_table"),
        ("voicebridge.errors", "there is no tool in 'voicebridge.errors'"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why(installed, plugin: str, words: str) -> None:
    points = (
        "lagoon = lagoon_c\nnumber = lagoon_c:number\nnothing = lagoon_c:nothing\n"
        "mixed = lagoon_c:MIXED\naway = lagoon_gone:x"
    )
    installed("lagoon_c", points, "lagoon")
    with pytest.raises(ConfigError) as caught:
        load_plugin(plugin)
    assert words in str(caught.value)


def test_two_packages_cannot_both_be_the_plugin_of_a_name(installed) -> None:
    installed("lagoon_d", "tables = lagoon_d", "lagoon")
    installed("lagoon_e", "tables = lagoon_e", "other")
    with pytest.raises(ConfigError, match="installed twice, by lagoon, other; remove one"):
        load_plugin("tables")


def test_only_the_plugins_that_are_named_are_imported(installed, tmp_path: Path) -> None:
    installed("lagoon_f", "tables = lagoon_f", "lagoon")
    registry = tools_of(tmp_path, [], {})
    assert "lagoon_f" not in sys.modules
    assert "find_table" not in registry.names()
    registry = tools_of(tmp_path, ["tables"], {})
    assert {"find_table", "book_table", "hang_up"} <= set(registry.names())
    assert registry.origin_of("find_table") == Origin("tables (lagoon)", "2.5")


def test_everything_that_is_wrong_is_told_at_once(installed, tmp_path: Path) -> None:
    installed("lagoon_g", "tables = lagoon_g", "lagoon")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "find_table.yaml").write_text(
        "description: Find.\nurl: https://a.example/\n"
    )
    (tmp_path / "tools" / "other.yml").write_text("")
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "shop.yaml").write_text("url: https://a.example/\n")
    loaded = load_tools(tmp_path, ["tables", "nowhere"], {})
    assert [str(error) for error in loaded.errors] == [
        "tools.plugins[1]: no plugin 'nowhere' is installed; a plugin is an entry point of the "
        "group 'voicebridge.tools', or a path such as package.module:function",
        f"{tmp_path}/tools/find_table.yaml: there are two tools named 'find_table'; rename one",
        f"{tmp_path}/tools/other.yml: is not read; rename it to other.yaml",
        f"{tmp_path}/mcp/shop.yaml:1: tools: this key is required, and missing (column 1)",
    ]
    with pytest.raises(ConfigError) as caught:
        tools_of(tmp_path, ["tables", "nowhere"], {})
    assert str(caught.value).count("\n") == 3


SPY = """
import pathlib
pathlib.Path(__file__).with_name("was-run").touch()
from voicebridge.tools.tool import tool

@tool
def harmless() -> str:
    '''Do nothing.'''
    return ""
"""


@pytest.mark.parametrize("python", [["-m", "voicebridge"], ["-c", "import sys; "
    "sys.argv[0] = 'x'; from voicebridge.cli.main import main; sys.exit(main())"]])  # fmt: skip
@pytest.mark.parametrize("plugin", ["dropped_here", "dropped_here.tools:harmless"])
def test_what_lies_in_the_working_directory_is_not_run(
    tmp_path: Path, python: list[str], plugin: str
) -> None:
    (tmp_path / "dropped_here").mkdir()
    (tmp_path / "dropped_here" / "__init__.py").write_text(SPY)
    (tmp_path / "dropped_here" / "tools.py").write_text(SPY)
    info = tmp_path / "dropped-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dropped\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[voicebridge.tools]\ndropped_here = dropped_here\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "voicebridge.yaml").write_text(f"tools: {{plugins: ['{plugin}']}}\n")
    told = subprocess.run(
        [sys.executable, *python, "tools"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2, told.stderr
    assert "install" in told.stderr
    assert list(tmp_path.rglob("was-run")) == []


def test_a_folder_that_is_put_on_the_path_on_purpose_is_searched(tmp_path: Path) -> None:
    (tmp_path / "placed_here.py").write_text(SPY)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "voicebridge.yaml").write_text(
        "tools: {plugins: ['placed_here:harmless']}\n"
    )
    told = subprocess.run(
        [sys.executable, "-m", "voicebridge", "tools"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "harmless" in told.stdout

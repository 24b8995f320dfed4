"""Who may import whom, and which rooms are pure: read from the imports themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "voicebridge"

MAY_IMPORT = {
    "errors": set(),
    "audio": {"errors"},
    "call": {"audio", "errors"},
    "carriers": {"call", "audio", "errors"},
    "realtime": {"errors"},
    "tools": {"personas", "errors"},
    "personas": {"errors"},
    "settings": {"settings_front", "personas", "errors"},
    "settings_front": set(),
    "redaction": set(),
    "log": {"redaction", "errors"},
    "records": {"call", "audio", "errors"},
    "outbound": {"carriers", "tools", "personas", "settings", "errors", "log"},
    "rehearsal": {"audio", "personas", "errors"},
    "bridge": {
        "call",
        "carriers",
        "realtime",
        "tools",
        "personas",
        "records",
        "audio",
        "errors",
        "log",
    },
    "server": {
        "bridge",
        "outbound",
        "call",
        "carriers",
        "realtime",
        "personas",
        "tools",
        "records",
        "settings",
        "errors",
        "log",
        "redaction",
    },
}
"""The arrows of the house; ``cli`` may import everything."""

PURE = ("audio", "call", "carriers", "realtime/dialects")
IMPURE_MODULES = {
    "asyncio",
    "aiohttp",
    "websockets",
    "time",
    "random",
    "os",
    "logging",
    "structlog",
    "yaml",
    "secrets",
    "uuid",
    "datetime",
    "socket",
    "pathlib",
    "threading",
}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of every import; an imported submodule counts as such."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name) for name in (names if "." not in module else [module]))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_inward(path: Path) -> None:
    here = room(path)
    if here in {"cli", "__init__", "__main__"}:
        return
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] != "voicebridge" or parts[1:] in ([], ["__version__"]):
            continue
        there = parts[1]
        assert there == here or there in MAY_IMPORT[here], (
            f"{path}:{line}: {here} may not import {there}"
        )


@pytest.mark.parametrize("pure", PURE)
def test_pure_rooms_know_no_clock_and_no_io(pure: str) -> None:
    found = sorted((PACKAGE / pure).rglob("*.py"))
    assert found, f"{pure} is empty"
    for path in found:
        for line, name in imported(path):
            assert name.split(".")[0] not in IMPURE_MODULES, f"{path}:{line}: {name} in a pure room"


def test_only_settings_read_the_environment() -> None:
    for path in files():
        text = path.read_text()
        if path.name != "settings.py":
            assert "os.environ" not in text, path
            assert "getenv" not in text, path

"""The plugin of examples/ installs into a fresh environment, is found, and passes its tests."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "voicebridge-plugin-template"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ensurepip") is None,
        reason="this Python cannot make environments with pip",
    ),
]


def run(*words: str | Path, cwd: Path) -> str:
    unwanted = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER"}
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the plugin; voicebridge and what it needs are taken from ours."""
    folder = tmp_path_factory.mktemp("plugin")
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", TEMPLATE, cwd=folder)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "ours.pth").write_text(f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n")
    return python


def test_its_tools_are_there_once_the_configuration_names_it(python: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "voicebridge.yaml"
    settings.write_text("tools: {plugins: []}\n")
    assert "free_tables" not in run(python, "-m", "voicebridge", "tools", cwd=tmp_path)
    settings.write_text("tools: {plugins: [restaurant]}\n")
    rows = run(python, "-m", "voicebridge", "tools", cwd=tmp_path).splitlines()
    (row,) = [row for row in rows if row.startswith("free_tables")]
    assert "restaurant (voicebridge-plugin-template)  0.1.0" in row
    assert row.endswith("day: date, seats: integer = 2")


def test_its_own_tests_pass(python: Path) -> None:
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=TEMPLATE)
    assert "6 passed" in told

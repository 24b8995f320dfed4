"""What the container runs: a plain install, away from the checkout, started and stopped."""

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from voicebridge import __version__

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("plain-install"),  # one worker, so that there is one install
    pytest.mark.skipif(
        importlib.util.find_spec("ensurepip") is None,
        reason="this Python cannot make environments with pip",
    ),
]

DEADLINE_S = 20.0
NOT_FOR_USERS = {"pytest", "mypy", "ruff", "hypothesis", "openai", "twilio", "coverage"}
GPL_OR_HEAVY = {"espeakng-loader", "espeakng_loader", "numpy"}
TOKEN = {"TWILIO_AUTH_TOKEN": "a-token"}
LOCAL_MODEL = {"VOICEBRIDGE_REALTIME_URL": "ws://127.0.0.1:9/v1/realtime"}


def clean_environment(variables: set[str]) -> dict[str, str]:
    """The process environment without what names this checkout or holds settings."""
    unwanted = variables | {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with a plain install of the checkout."""
    root = Path(__file__).parents[2]
    folder = tmp_path_factory.mktemp("plain")
    programs = folder / "venv" / "bin"
    for command in (
        [sys.executable, "-m", "venv", "venv"],
        [programs / "pip", "install", "--quiet", root],
    ):
        env = clean_environment({"PIP_USER"})
        subprocess.run(command, cwd=folder, env=env, check=True, timeout=120)
    return programs


@pytest.fixture
def serve_words(dockerfile: Any, root: Path) -> list[str]:
    """The arguments of the image's command, with this machine's values."""
    values = {"--host": "127.0.0.1", "--port": "0", "--config": str(root / "config")}
    words = dockerfile.command[1:]
    for index, word in enumerate(words):
        if word in values:
            words[index + 1] = values[word]
    return words


@asynccontextmanager
async def running(
    program: Path, words: list[str], env: dict[str, str], cwd: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program for the length of the context, and no longer."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program, *words, env=env, cwd=cwd, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_the_command_tells_its_version_anywhere(bin_folder, tmp_path, variables):
    done = subprocess.run(
        [bin_folder / "voicebridge", "--version"],
        cwd=tmp_path,
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout == f"voicebridge {__version__}\n"
    assert not done.stderr


def test_a_plain_install_holds_no_tools_of_developers_and_no_local_voice(bin_folder, tmp_path):
    done = subprocess.run(
        [bin_folder / "pip", "list", "--format=json"],
        cwd=tmp_path,
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    installed = {package["name"].lower() for package in json.loads(done.stdout)}
    assert {"voicebridge", "aiohttp", "websockets"} <= installed
    assert not installed & (NOT_FOR_USERS | GPL_OR_HEAVY)


async def test_the_command_of_the_image_serves_is_healthy_and_stops_when_asked(
    bin_folder, serve_words, dockerfile, tmp_path, variables
):
    env = clean_environment(variables) | TOKEN | LOCAL_MODEL
    async with running(bin_folder / "voicebridge", serve_words, env, tmp_path) as bridge:
        assert bridge.stdout is not None
        greeting = (await bridge.stdout.readline()).decode()
        address = greeting.rpartition(" ")[2].strip()
        assert greeting == f"voicebridge {__version__} listens on {address}\n"

        program, *words = dockerfile.health_command
        asked = [word.replace("http://127.0.0.1:8080", address) for word in words]
        assert asked != words
        async with running(bin_folder / program, asked, env, tmp_path) as check:
            _, complaint = await check.communicate()
        assert (check.returncode, complaint) == (0, b"")

        bridge.send_signal(signal.SIGTERM)
        rest, errors = await bridge.communicate()
    assert bridge.returncode == 0, errors.decode()
    assert b"stopping" in rest
    async with running(bin_folder / program, asked, env, tmp_path) as check:
        await check.communicate()
    assert check.returncode != 0


@pytest.mark.parametrize(
    ("env", "advice"),
    [
        pytest.param(LOCAL_MODEL, "TWILIO_AUTH_TOKEN", id="no-auth-token"),
        pytest.param(TOKEN, "voicebridge[rehearsal]", id="no-key-and-no-local-voice"),
    ],
)
async def test_a_container_that_lacks_something_says_what(
    bin_folder, serve_words, tmp_path, variables, env, advice
):
    env = clean_environment(variables) | env
    async with running(bin_folder / "voicebridge", serve_words, env, tmp_path) as bridge:
        _, errors = await bridge.communicate()
    assert bridge.returncode == 2
    assert advice in errors.decode()
    assert "Traceback" not in errors.decode()

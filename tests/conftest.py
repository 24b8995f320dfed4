"""What all tests share: a bridge on a loopback port, and the rule that no task fails unseen."""

import gc
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from voicebridge.server.crew.worker import Worker
from voicebridge.server.running import RunningBridge, load_switchboard, running_bridge
from voicebridge.settings import TRANSPORT_VARIABLE, Settings, load_settings

ROOT = Path(__file__).parent.parent
AUTH_TOKEN = "carrier-auth-token"

StartBridge = Callable[..., Awaitable[RunningBridge]]


@pytest.fixture(autouse=True)
def no_task_fails_unseen(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which asyncio had to report an exception that nobody handled."""
    if request.node.get_closest_marker("asyncio") is None:
        yield
        return
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(self.format(record))

    handler = Keep(level=logging.ERROR)
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    yield
    gc.collect(1)  # a failed task is reported when it is collected; young ones suffice
    logger.removeHandler(handler)
    assert not seen, seen


@pytest.fixture(autouse=True)
def every_test_logs_alike() -> Iterator[None]:
    """Undo what a command under test has set up for the log of its own process."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


def settings_for(
    model_url: str, *, auth_token: str | None = AUTH_TOKEN, **changes: Any
) -> Settings:
    """Settings of the shipped configuration on a free port; ``changes`` are of ``server``."""
    environ = {"VOICEBRIDGE_REALTIME_URL": model_url, "OPENAI_API_KEY": "test-key"}
    environ[TRANSPORT_VARIABLE] = os.environ.get(TRANSPORT_VARIABLE, "")
    if auth_token is not None:
        environ["TWILIO_AUTH_TOKEN"] = auth_token
    settings = load_settings(ROOT / "config", environ)
    of_top = ("records", "public_url", "limits", "security", "outbound", "greetings", "api_token",
              "twilio_auth_token_old", "twilio_account_sid", "twilio_shared_key")  # fmt: skip
    top = {key: changes.pop(key) for key in of_top if key in changes}
    realtime = {key: changes.pop(key) for key in ("dialect", "connect_timeout_s") if key in changes}
    server = settings.server.model_copy(update={"port": 0, "shutdown_grace_s": 0, **changes})
    top |= {"server": server, "realtime": settings.realtime.model_copy(update=realtime)}
    return settings.model_copy(update=top)


@pytest.fixture
async def start_bridge() -> AsyncIterator[StartBridge]:
    """Start bridges on loopback; they go down with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            model_url: str, worker: Worker | None = None, **changes: Any
        ) -> RunningBridge:
            slot = None if worker is None else worker.slot
            switchboard = load_switchboard(settings_for(model_url, **changes), slot)
            return await stack.enter_async_context(running_bridge(switchboard, worker))

        yield start

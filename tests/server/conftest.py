"""A whole office on loopback: a model that may misbehave, a bridge, its records, a carrier."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from voicebridge.rehearsal.faults import Faults
from voicebridge.server.running import RunningBridge
from voicebridge.settings import Records

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))

from model_harness import INSTANT
from server_office import Office, Shelf, WatchedModel

OpenOffice = Callable[..., Awaitable[Office]]


@pytest.fixture
async def models() -> AsyncIterator[AsyncExitStack]:
    """Where running models are kept: named before ``start_bridge``, they go down after it."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def open_office(
    models: AsyncExitStack,
    start_bridge: Callable[..., Awaitable[RunningBridge]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> OpenOffice:
    """Open an office: a model that says ``greeting`` and the rest, and a bridge that dials it."""

    async def open_(
        *replies: str,
        faults: Faults | None = None,
        pace: float = INSTANT,
        at: str | None = None,
        **settings: Any,
    ) -> Office:
        model = WatchedModel(*replies, faults=faults, pace=pace)
        await models.enter_async_context(model)
        shelf = Shelf(tmp_path)
        monkeypatch.setattr("voicebridge.server.switchboard.RecordStore", lambda _: shelf)
        records = Records(directory=tmp_path)
        bridge = await start_bridge(at or model.url, records=records, **settings)
        return Office(bridge, model, shelf)

    return open_

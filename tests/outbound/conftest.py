"""Where tests of outbound calls find their stand-ins."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_twilio import FakeTwilio


@pytest.fixture
async def carrier() -> AsyncIterator[FakeTwilio]:
    """A running stand-in that was sent nothing wrong by the end."""
    fake = FakeTwilio()
    async with fake.running():
        yield fake
    assert fake.problems == []

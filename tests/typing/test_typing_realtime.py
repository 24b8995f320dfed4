"""The user's file runs; that it type-checks is for ``mypy --strict tests/typing`` to say."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

USER = Path(__file__).with_name("realtime_user.py")


def test_the_user_s_program_runs() -> None:
    spec = importlib.util.spec_from_file_location("realtime_user", USER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert asyncio.run(module.main()) == ["sess_1", "{}"]

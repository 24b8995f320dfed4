"""The user's programs run and use the whole API; their types are for mypy --strict to check."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from voicebridge import realtime

HERE = Path(__file__).parent
PROGRAMS = ("realtime_user", "realtime_events_user")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words() -> set[str]:
    texts = [(HERE / f"{name}.py").read_text("utf-8") for name in PROGRAMS]
    return {word for text in texts for word in re.findall(r"\w+", text)}


def test_the_user_s_program_runs() -> None:
    assert asyncio.run(loaded("realtime_user").main()) == ["sess_1", "{}"]


def test_the_user_s_other_program_turns_beta_events_into_ga_events() -> None:
    written = loaded("realtime_events_user").rewritten(
        b'{"type":"response.text.done","response_id":"r","item_id":"i","output_index":0,'
        b'"content_index":0,"text":"Hm."}'
    )
    assert b'"response.output_text.done"' in written


def test_every_public_name_is_used() -> None:
    assert sorted(set(realtime.__all__) - words()) == []


@pytest.mark.parametrize("name", ["Client", "Conn", "ConnHandler", "Rest", "WebSocketConn"])
def test_every_method_is_used(name: str) -> None:
    methods = {each for each in vars(getattr(realtime, name)) if not each.startswith("_")}
    assert methods
    assert sorted(methods - words()) == []

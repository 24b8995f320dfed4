"""What docs/tools.md shows of carrier actions can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from voicebridge.outbound.callback_times import LATEST, SOONEST
from voicebridge.outbound.send_sms import MOST_A_CALL, MOST_CHARACTERS
from voicebridge.outbound.set_up import add_outbound_tools, faults, key_faults
from voicebridge.personas.persona import Persona
from voicebridge.settings import Settings, SettingsFile
from voicebridge.tools.registry import ToolRegistry

PAGE = (Path(__file__).parent.parent.parent / "docs" / "tools.md").read_text("utf-8")
SECTION = PAGE.partition("## The tools that come with it\n")[2].partition("\n## ")[0]
BLOCKS: list[dict[str, Any]] = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
]
PERSONAS = [block for block in BLOCKS if "outbound" not in block]


def settings() -> Settings:
    (written,) = [block for block in BLOCKS if "outbound" in block]
    keys: dict[str, Any] = {"twilio_account_sid": "AC1", "twilio_auth_token": SecretStr("t")}
    outbound = SettingsFile.model_validate(written).outbound
    return Settings(config_dir=Path("config"), outbound=outbound, **keys)


@pytest.mark.parametrize("block", PERSONAS, ids=" ".join)
def test_the_personas_that_are_shown_can_be_used_with_the_settings(block: dict[str, Any]) -> None:
    persona = Persona.model_validate({"name": "Desk", "instructions": "Answer.", **block})
    found = settings()
    assert [*faults(persona, found), *key_faults(persona, found)] == []
    tools = ToolRegistry.with_builtins()
    add_outbound_tools(tools, found)
    assert len(tools.for_persona(persona.tools)) == len(persona.tools)


def test_every_tool_of_the_package_has_its_line() -> None:
    tools = ToolRegistry.with_builtins()
    add_outbound_tools(tools, settings())
    lines = " ".join(line for line in SECTION.splitlines() if line.startswith("| `"))
    assert {name for name in tools.names() if f"`{name}`" not in lines} == set()


def test_the_figures_are_those_of_the_code() -> None:
    assert (MOST_CHARACTERS, MOST_A_CALL) == (480, 3)
    assert "480 characters" in SECTION
    assert "three messages" in SECTION
    assert (SOONEST.seconds, LATEST.days) == (300, 30)
    assert "five minutes to\nthirty days" in SECTION

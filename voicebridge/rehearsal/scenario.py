"""A rehearsal as a file: who says what, and when (``config/rehearsals/*.yaml``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from voicebridge.personas.yaml_lines import load_model
from voicebridge.rehearsal.carrier_side import CarrierSide
from voicebridge.rehearsal.expect import Expect
from voicebridge.rehearsal.model_side import ModelSide
from voicebridge.rehearsal.script import Script, standing_agent
from voicebridge.rehearsal.steps import AgentStep, CallerStep, Strict

__all__ = ["AgentStep", "CallerStep", "Scenario", "load_scenario", "standing_agent"]


class Scenario(Strict):
    """One call, written down.

    ``persona`` is the stem of a file under ``config/personas``. ``persona_with`` and
    ``settings_with`` are laid over it and over the settings, for this call alone. ``agent`` holds
    one step for each response the simulated model is asked for, in order.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    persona: Annotated[str, Field(min_length=1)]
    dialect: Literal["ga", "beta"] = "ga"
    caller: tuple[CallerStep, ...]
    agent: Annotated[tuple[AgentStep, ...], Field(min_length=1)]
    persona_with: dict[str, Any] = Field(default_factory=dict)
    settings_with: dict[str, Any] = Field(default_factory=dict)
    carrier: CarrierSide = CarrierSide()
    model: ModelSide = ModelSide()
    expect: Expect = Expect()

    def script(self) -> Script:
        """Give the model's side: its responses, and the words it will hear; a cough has none."""
        spoken = (step for step in self.caller if step.say is not None or step.cough_ms)
        lines = tuple(step.say or "" for step in spoken)
        return Script(agent=self.agent, caller_lines=lines)


def load_scenario(path: Path) -> Scenario:
    """Read a rehearsal; raises ConfigError naming file, line and key."""
    return load_model(path, Scenario)

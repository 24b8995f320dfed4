"""What the simulated model says and what it understands, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voicebridge.rehearsal.steps import PLACEHOLDER, AgentStep

STANDING_LINE = AgentStep(
    say="I have told you all I know in this rehearsal. Thank you for your patience."
)


@dataclass(frozen=True, slots=True)
class Script:
    """The agent's responses and the caller's lines; ``standing`` is said when the list is over."""

    agent: tuple[AgentStep, ...] = ()
    caller_lines: tuple[str, ...] = ()
    standing: AgentStep = STANDING_LINE

    def begin(self) -> ScriptRun:
        """Start from the top, for one session."""
        return ScriptRun(self)


@dataclass(slots=True)
class ScriptRun:
    """Where one session stands in its script."""

    script: Script
    responses: int = 0
    lines: int = 0

    def next_response(self) -> AgentStep:
        """Take the next of the agent's steps; after the last the standing line, for ever."""
        index, self.responses = self.responses, self.responses + 1
        return self.script.agent[index] if index < len(self.script.agent) else self.script.standing

    def next_line(self) -> str | None:
        """Take what the caller says next, or None when the script does not know."""
        index, self.lines = self.lines, self.lines + 1
        return self.script.caller_lines[index] if index < len(self.script.caller_lines) else None


@dataclass(slots=True)
class Memory:
    """What a reply can refer back to."""

    heard: str = ""
    rest: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)

    def remember_output(self, output: str) -> None:
        """Keep a tool's result; one that is no JSON object has no keys to speak of."""
        try:
            value = json.loads(output)
        except ValueError:
            value = None
        self.output = value if isinstance(value, dict) else {}

    def fill(self, text: str) -> str:
        """Put in what the placeholders stand for; an absent key is said as "unknown"."""

        def meaning(name: str) -> str:
            if name.startswith("output."):
                return str(self.output.get(name.removeprefix("output."), "unknown"))
            return self.heard if name == "heard" else self.rest

        return PLACEHOLDER.sub(lambda match: meaning(match[1]), text)


def standing_agent() -> Script:
    """Give the script of an agent that needs no scenario: it greets, listens and is polite."""
    return Script(
        agent=(
            AgentStep(say="Hello, and thank you for calling. This is the local stand-in agent."),
            AgentStep(
                say="I can hear you well. I run on this machine and speak from a short script. "
                "Give the bridge an OpenAI key, and a real model will answer in my place. "
                "You can interrupt me at any time to hear how quickly I stop."
            ),
            AgentStep(say="Of course, go ahead."),
        ),
        standing=AgentStep(say="I am listening. Please go on, or hang up whenever you like."),
    )

"""From a persona to the configuration of one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicebridge.bridge.caller_keys import key_rules
from voicebridge.bridge.greeting import greeting_instructions
from voicebridge.bridge.manners import manners_for
from voicebridge.bridge.phrases import load_phrases
from voicebridge.bridge.session import approvals_of
from voicebridge.bridge.told import told_first
from voicebridge.call.call import CallConfig
from voicebridge.call.greeting import SpokenGreeting
from voicebridge.call.memory import CallMemory
from voicebridge.call.tool_calls import ToolManners, ToolRules
from voicebridge.personas.persona import Persona
from voicebridge.tools.tool import Tool


def call_config(
    persona: Persona,
    tools: Sequence[Tool],
    *,
    greeting: str | None = None,
    spoken: SpokenGreeting | None = None,
    values: Mapping[str, str] | None = None,
    earlier: CallMemory | None = None,
) -> CallConfig:
    """Make the configuration of a persona's calls.

    ``greeting`` are instructions in place of the persona's own greeting; ``spoken`` is that
    greeting as it was spoken before. ``values`` are those from outside, by name; ``earlier`` is
    what was said and done on earlier streams of the call.
    """
    limits, own = persona.limits, persona.greeting
    wanted = own.say if own is not None and greeting is None else None
    return CallConfig(
        greeting=greeting or greeting_instructions(persona),
        spoken_greeting=spoken,
        wanted_greeting=wanted,
        told=told_first(values or {}, earlier),
        phrases=load_phrases(),
        manners=manners_for(persona),
        max_duration_s=limits.max_duration_s,
        silence_s=limits.silence_s,
        silence_prompts=limits.silence_prompts,
        goodbye_s=limits.goodbye_s,
        keys=key_rules(persona.keys, tools),
        tools=ToolRules(
            timeout_s=limits.tool_timeout_s,
            tools={
                tool.name: ToolManners(
                    tool.options.timeout_s,
                    tool.options.cancellable,
                    tool.options.confirm,
                    tool.options.filler,
                )
                for tool in tools
            },
            approvals=approvals_of(persona),
            done={id_: note.output for id_, note in earlier.tools.items()} if earlier else {},
        ),
    )

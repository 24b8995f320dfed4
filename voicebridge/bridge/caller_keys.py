"""From a persona to what the keys of its callers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voicebridge.call.keys import KeyRules, KeyUse
from voicebridge.errors import ConfigError
from voicebridge.personas.caller_keys import CallerKeys
from voicebridge.personas.persona import Persona
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.tools.registry import ToolRegistry
from voicebridge.tools.tool import Tool

ARGUMENT = "keys"
_KEY = "keys.tool"


def key_rules(wished: CallerKeys, tools: Iterable[Tool]) -> KeyRules:
    """Read what the keys do in a call that has these tools.

    Where the tool for them cannot be had, the model is told the keys.
    """
    use, name, argument = KeyUse.TEXT, "", ""
    if wished.mode == "ignore":
        use = KeyUse.IGNORED
    for tool in tools:
        if tool.name == wished.tool:
            use, name, argument = KeyUse.TOOL, tool.name, _argument(tool.parameters)
    return KeyRules(use, name, argument, wished.interrupt, wished.pause_ms / 1000)


def check_keys(persona: Persona, tools: ToolRegistry) -> None:
    """Make sure that the tool for a persona's keys is one of its own and can take them.

    Raises ``ConfigError``.
    """
    wanted = persona.keys.tool
    if wanted is None:
        return
    found = {
        name if (tool := tools.get(name)) is None else tool.name: tool for name in persona.tools
    }
    if wanted not in found:
        nearest = did_you_mean(wanted, found)
        raise ConfigError(f"'{wanted}' is not among the persona's tools{nearest}", key=_KEY)
    tool = found[wanted]
    if tool is None:
        return
    if not _argument(tool.parameters):
        words = (
            f"the tool '{wanted}' cannot take keys: it needs a text as its argument '{ARGUMENT}'"
        )
        raise ConfigError(f"{words}, or as its only one", key=_KEY)
    if tool.options.confirm:
        words = f"the tool '{wanted}' asks for the caller's consent, so keys cannot run it"
        raise ConfigError(words, key=_KEY)


def _argument(schema: Mapping[str, Any]) -> str:
    """Return the argument that can take the keys as text, with no other needed; else nothing."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    name = ARGUMENT if ARGUMENT in properties else next(iter(properties), "")
    others = set(schema.get("required", ())) - {name}
    alone = name == ARGUMENT or len(properties) == 1
    is_text = properties.get(name, {}).get("type", "string") == "string"
    return name if name and alone and is_text and not others else ""

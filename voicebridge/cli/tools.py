"""``voicebridge tools``: lists the tools, shows one, and tries one outside a call."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from voicebridge import log
from voicebridge.cli.table import aligned
from voicebridge.errors import ConfigError, ToolError
from voicebridge.outbound.set_up import add_outbound_tools, carrier_for
from voicebridge.personas.layers import load_persona
from voicebridge.personas.persona import Persona
from voicebridge.settings import Settings, load_settings
from voicebridge.tools.context import CallContext
from voicebridge.tools.loading import tools_of
from voicebridge.tools.registry import ToolRegistry
from voicebridge.tools.tool import Tool

CALLED = "+15550100002"
ANSWER_WITHIN_S = 120.0

_NOT_CONNECTED = "its server is not connected"


def run_list(config_dir: Path, environ: Mapping[str, str] | None, out: TextIO) -> int:
    """Print a line for each tool; raises ``ConfigError`` for one that cannot be loaded."""
    registry = _registry(load_settings(config_dir, environ))
    rows = [("NAME", "SOURCE", "VERSION", "ARGUMENTS")]
    for name, tool in asyncio.run(_connected(registry)).items():
        origin = registry.origin_of(name)
        told = signature(tool.parameters) if tool else f"({_NOT_CONNECTED})"
        if tool is not None and tool.missing:
            told += f"  (not set: {', '.join(tool.missing)})"
        rows.append((name, origin.source, origin.version or "-", told or "-"))
    print("\n".join(aligned(rows)), file=out)
    return 0


def run_show(config_dir: Path, name: str, environ: Mapping[str, str] | None, out: TextIO) -> int:
    """Print what the model is told of one tool, and how it behaves in a call."""
    registry = _registry(load_settings(config_dir, environ))
    tool = asyncio.run(_one(registry, name))
    origin = registry.origin_of(name)
    told = {
        "name": tool.name,
        "source": origin.source,
        "version": origin.version or None,
        "description": tool.description,
        "parameters": tool.parameters,
        **tool.options.model_dump(),
    }
    print(json.dumps(told, indent=2, ensure_ascii=False), file=out)
    return 0


def try_tool(config_dir: Path, name: str, arguments: str, persona: str | None, caller: str) -> int:
    """Run a tool once for a persona and a caller; see ``run_tool``."""
    settings = load_settings(config_dir)
    return run_tool(settings, name, arguments, context_for(settings, persona, caller))


def run_tool(settings: Settings, name: str, arguments: str, context: CallContext) -> int:
    """Run a tool once and print its output; 1 when it brings none."""
    registry = _registry(settings)
    begun = time.monotonic()
    try:
        output = asyncio.run(_invoke(registry, name, arguments, context))
    except ToolError as error:
        print(f"voicebridge: the model would be told: {error}", file=sys.stderr)
        return 1
    took_ms = round((time.monotonic() - begun) * 1000)
    print(output)
    print(f"{took_ms} ms, {len(output.encode())} bytes", file=sys.stderr)
    return 0


def context_for(settings: Settings, persona: str | None, caller: str) -> CallContext:
    """Make the context of a call that is none; what a tool wishes for it is printed."""
    name = persona or settings.default_persona
    described = _persona(settings.config_dir, name)
    return CallContext(
        call_id="tried-out",
        caller=caller,
        called=described.numbers[0] if described.numbers else CALLED,
        persona=name,
        hang_up=lambda reason: print(f"(it hangs up: {reason})", file=sys.stderr),
        business=described.business,
        facts=described.facts,
        destinations=described.destinations,
        recipients=described.recipients,
        allowed_numbers=described.allowed_numbers,
    )


def signature(schema: Mapping[str, Any]) -> str:
    """Write a schema's arguments on one line: ``day: date, seats: integer = 2, note?: string``."""
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    return ", ".join(_argument(name, each, name in required) for name, each in properties.items())


def _argument(name: str, schema: Any, required: bool) -> str:
    if not isinstance(schema, dict):
        return name
    default = schema.get("default")
    shown = f" = {json.dumps(default, ensure_ascii=False)}" if default is not None else ""
    optional = "" if required or shown else "?"
    return f"{name}{optional}: {_type(schema)}{shown}"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        kinds = [_type(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return "|".join(kinds)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"[{_type(schema['items'])}]"
    return str(schema.get("format") or schema.get("type") or "any")


def _registry(settings: Settings) -> ToolRegistry:
    log.configure("warning", settings.log.format, settings.secret_values())
    tools = tools_of(settings.config_dir, settings.tools.plugins, settings.tool_secrets)
    add_outbound_tools(tools, settings, carrier_for(settings))
    return tools


def _persona(config_dir: Path, name: str) -> Persona:
    folder = config_dir / "personas"
    return load_persona(folder / f"{name}.yaml", folder).persona


async def _connected(registry: ToolRegistry) -> dict[str, Tool | None]:
    async with registry.running():
        return {name: registry.get(name) for name in registry.names()}


async def _one(registry: ToolRegistry, name: str) -> Tool:
    async with registry.running():
        return _here(registry, name)


async def _invoke(registry: ToolRegistry, name: str, arguments: str, context: CallContext) -> str:
    async with registry.running():
        tool = _here(registry, name)
        try:
            async with asyncio.timeout(tool.options.timeout_s or ANSWER_WITHIN_S):
                return await tool.invoke(arguments, context)
        except TimeoutError:
            raise ToolError(f"{tool.name} took too long and was stopped.") from None


def _here(registry: ToolRegistry, name: str) -> Tool:
    tool = registry.get(name)
    if tool is None:
        raise ConfigError(f"the tool '{name}' cannot be had: {_NOT_CONNECTED}")
    return tool

"""Load all tools that a configuration names: built-in ones, plugins, HTTP tools, MCP servers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_lines import join_errors, load_model
from voicebridge.tools.http import HttpCall, HttpSender
from voicebridge.tools.http_file import HttpToolFile
from voicebridge.tools.mcp_file import McpServerFile
from voicebridge.tools.plugins import Origin, load_plugin
from voicebridge.tools.registry import ToolRegistry
from voicebridge.tools.schema import Arguments
from voicebridge.tools.tool import Tool, ToolOptions, check_name

Secrets = Mapping[str, SecretStr]


@dataclass(slots=True)
class LoadedTools:
    """The tools of a configuration.

    ``notes`` says something of each file that was read; ``errors`` what is wrong, in their order.
    """

    registry: ToolRegistry = field(default_factory=ToolRegistry.with_builtins)
    notes: dict[Path, str] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)


def load_tools(config_dir: Path, plugins: Iterable[str], secrets: Secrets) -> LoadedTools:
    """Load everything that can be loaded; what cannot is in ``errors``."""
    loaded = LoadedTools()
    for index, name in enumerate(plugins):
        try:
            for tool, origin in load_plugin(name):
                loaded.registry.add(tool, origin)
        except ConfigError as error:
            loaded.errors.append(ConfigError(error.message, key=f"tools.plugins[{index}]"))
    sender = HttpSender()
    loaded.registry.keep_running(sender)
    for folder, load in (
        ("tools", partial(_add_http_tool, sender)),
        ("mcp", _add_mcp_server),
    ):
        for file in sorted((config_dir / folder).glob("*.y*ml")):
            try:
                loaded.notes[file] = load(loaded.registry, file, secrets)
            except ConfigError as error:
                loaded.notes[file] = ""
                told = error if error.file else ConfigError(error.message, file=file)
                loaded.errors.append(told)
    return loaded


def tools_of(config_dir: Path, plugins: Iterable[str], secrets: Secrets) -> ToolRegistry:
    """Load all tools; everything that is wrong is told in one ConfigError."""
    loaded = load_tools(config_dir, plugins, secrets)
    if loaded.errors:
        raise join_errors(loaded.errors)
    return loaded.registry


def http_tool(name: str, file: HttpToolFile, sender: HttpSender, secrets: Secrets) -> Tool:
    """Make the tool of a file; raises ConfigError where it cannot be offered."""
    check_name(name)
    fields = {each: argument.field(each) for each, argument in file.arguments.items()}
    return Tool(
        name,
        file.description,
        HttpCall(name, file, sender, secrets).run,
        Arguments(name, fields, context_name="context"),
        ToolOptions(
            timeout_s=file.timeout_s,
            cancellable=file.cancellable,
            confirm=file.confirm,
            filler=file.filler,
        ),
        tuple(each for each in file.variables if each not in secrets),
    )


def _add_http_tool(sender: HttpSender, registry: ToolRegistry, file: Path, secrets: Secrets) -> str:
    _check_ending(file)
    wanted = load_model(file, HttpToolFile)
    registry.add(http_tool(file.stem, wanted, sender, secrets), Origin(f"{file}"))
    return f"{wanted.method} {wanted.url}"


def _add_mcp_server(registry: ToolRegistry, file: Path, secrets: Secrets) -> str:
    _check_ending(file)
    wanted = load_model(file, McpServerFile)
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError("needs the MCP client; install voicebridge[mcp]", file=file)
    from voicebridge.tools.mcp import McpServer

    server = McpServer(file.stem, wanted, secrets)
    for name in server.names:
        check_name(name)
    registry.add_server(server)
    return ", ".join(server.names)


def _check_ending(file: Path) -> None:
    if file.suffix != ".yaml":
        raise ConfigError(f"is not read; rename it to {file.stem}.yaml", file=file)

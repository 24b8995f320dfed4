"""``voicebridge check``: says of every configuration file whether it can be used, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from voicebridge.bridge.caller_keys import check_keys
from voicebridge.cli.table import can_show
from voicebridge.errors import ConfigError
from voicebridge.outbound.set_up import (
    NEEDS_KEYS,
    add_outbound_tools,
    faults,
    key_faults,
    missing_keys,
)
from voicebridge.personas.layers import load_persona
from voicebridge.personas.loader import (
    folder_errors,
    load_routing,
    part_files,
    persona_files,
    repeated_numbers,
)
from voicebridge.personas.persona import Persona
from voicebridge.personas.references import referred_variables
from voicebridge.personas.routing import ROUTING_FILE
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.personas.yaml_lines import place_of
from voicebridge.settings import FILE_NAME, Settings, load_settings
from voicebridge.tools.loading import load_tools
from voicebridge.tools.registry import ToolRegistry

ENVIRONMENT = "environment"
_VARIABLES = ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "VOICEBRIDGE_PUBLIC_URL")


@dataclass(slots=True)
class _Report:
    """Collect a row for each file, in the order in which they are looked at."""

    notes: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[ConfigError]] = field(default_factory=dict)

    def well(self, subject: Path | str, note: str = "") -> None:
        self.notes[str(subject)] = note

    def wrong(self, subject: Path | str, error: ConfigError) -> None:
        self.notes.setdefault(str(subject), "")
        self.errors.setdefault(str(subject), []).append(error)

    def lines(self, yes: str, no: str) -> list[str]:
        """Write the rows, aligned, each followed by its errors."""
        width = max(map(len, self.notes), default=0)
        lines: list[str] = []
        for subject, note in self.notes.items():
            errors = self.errors.get(subject, [])
            lines.append(f"{no if errors else yes} {subject:<{width}}  {note}".rstrip())
            lines += [f"    {line}" for error in errors for line in str(error).splitlines()]
        return lines


def run_check(config_dir: Path, environ: Mapping[str, str] | None, out: TextIO) -> int:
    """Check everything under ``config_dir``, print the result, and return the exit status.

    0 when all can be used, 1 when something cannot. ``environ`` is the process environment if None.
    """
    report = _Report()
    settings = _check_settings(config_dir, environ, report)
    tools = _check_tool_files(config_dir, settings, report)
    personas = _check_personas(config_dir / "personas", tools, report)
    if settings is not None:
        _check_default(config_dir, settings.default_persona, personas, report)
        _check_actions(config_dir / "personas", personas, settings, report)
    _check_routing(config_dir, personas, report)
    _check_rehearsals(config_dir, personas, report)
    if settings is not None:
        report.well(ENVIRONMENT, _missing(settings, personas))
    yes, no = ("✓", "✗") if can_show(out, "✓✗") else ("ok  ", "FAIL")
    for line in [*report.lines(yes, no), "", _next_step(config_dir, settings, report)]:
        print(line, file=out)
    return 1 if report.errors else 0


def _check_settings(
    config_dir: Path, environ: Mapping[str, str] | None, report: _Report
) -> Settings | None:
    file = config_dir / FILE_NAME
    try:
        settings = load_settings(config_dir, environ)
    except ConfigError as error:
        if error.file is None:
            report.well(file)
        report.wrong(file if error.file else ENVIRONMENT, error)
        return None
    realtime, server = settings.realtime, settings.server
    report.well(file, f"{server.host}:{server.port}, {realtime.shown_url} ({realtime.dialect})")
    return settings


def _missing(settings: Settings, personas: Mapping[str, Persona | None]) -> str:
    present = (settings.openai_api_key, settings.twilio_auth_token, settings.public_url)
    missing = [name for name, value in zip(_VARIABLES, present, strict=True) if not value]
    referred = referred_variables(settings.config_dir)
    missing += [name for name in referred if name not in settings.tool_secrets]
    for persona in personas.values():
        if persona and (NEEDS_KEYS & {*persona.tools} or any(key_faults(persona, settings))):
            missing += [name for name in missing_keys(settings) if name not in missing]
    return f"not set: {', '.join(missing)}" if missing else "all set"


def _check_tool_files(config_dir: Path, settings: Settings | None, report: _Report) -> ToolRegistry:
    """Return the tools that can be loaded."""
    plugins = settings.tools.plugins if settings else []
    loaded = load_tools(config_dir, plugins, settings.tool_secrets if settings else {})
    for file, note in loaded.notes.items():
        report.well(file, note)
    named = {f"tools.plugins[{index}]": index for index in range(len(plugins))}
    for error in loaded.errors:
        if error.key in named and error.file is None:
            file = config_dir / FILE_NAME
            line = place_of(file, "tools", "plugins", named[error.key])
            report.wrong(file, ConfigError(error.message, file=file, line=line, key=error.key))
        else:
            report.wrong(error.file or config_dir, error)
    add_outbound_tools(loaded.registry, settings or Settings(config_dir=config_dir))
    return loaded.registry


def _check_personas(
    directory: Path, tools: ToolRegistry, report: _Report
) -> dict[str, Persona | None]:
    """Return the personas by name; None for one whose file is wrong."""
    for fault in folder_errors(directory):
        report.wrong(fault.file or directory, fault)
    personas: dict[str, Persona | None] = {}
    parts: list[Path] = []
    for file in persona_files(directory):
        personas[file.stem] = None
        try:
            loaded = load_persona(file, directory)
        except ConfigError as error:
            report.wrong(file, error)
            continue
        persona = personas[file.stem] = loaded.persona
        parts += loaded.files
        report.well(file, ", ".join((persona.name, *persona.numbers)))
        _check_tools(file, persona, tools, report)
    for file in part_files(directory):
        report.well(file, "a part of others" if file in parts else "extended by none")
    usable = {stem: persona for stem, persona in personas.items() if persona is not None}
    for fault in repeated_numbers(directory, usable):
        report.wrong(fault.file or directory, fault)
    return personas


def _check_routing(config_dir: Path, personas: Mapping[str, object], report: _Report) -> None:
    file = config_dir / ROUTING_FILE
    if not file.exists():
        return
    routing, errors = load_routing(file, personas)
    report.well(file, f"{len(routing.rules)} rules, {routing.time_zone}")
    for error in errors:
        report.wrong(file, error)


def _check_tools(file: Path, persona: Persona, tools: ToolRegistry, report: _Report) -> None:
    for index, error in tools.errors_of(persona.tools):
        line = place_of(file, "tools", index)
        report.wrong(file, ConfigError(error.message, file=file, line=line, key=error.key))
    if not tools.errors_of(persona.tools):
        try:
            check_keys(persona, tools)
        except ConfigError as error:
            line = place_of(file, "keys", "tool")
            report.wrong(file, ConfigError(error.message, file=file, line=line, key=error.key))
    if "opening_hours" in persona.tools and persona.business is None:
        message = "the tool opening_hours needs a business with its hours; add one"
        report.wrong(file, ConfigError(message, file=file, key="business"))


def _check_actions(
    directory: Path, personas: Mapping[str, Persona | None], settings: Settings, report: _Report
) -> None:
    """See whether the settings have what the personas want of the carrier."""
    for stem, persona in personas.items():
        file = directory / f"{stem}.yaml"
        for fault in faults(persona, settings) if persona is not None else ():
            line = place_of(file, *(fault.key or "").split("."))
            report.wrong(file, ConfigError(fault.message, file=file, line=line, key=fault.key))


def _check_default(
    config_dir: Path, default: str, personas: Mapping[str, object], report: _Report
) -> None:
    if personas and default not in personas:
        file = config_dir / FILE_NAME
        message = f"no persona '{default}'{did_you_mean(default, personas)}"
        line = place_of(file, "default_persona")
        report.wrong(file, ConfigError(message, file=file, line=line, key="default_persona"))


def _check_rehearsals(config_dir: Path, personas: Mapping[str, object], report: _Report) -> None:
    from voicebridge.cli.scenery import check_laid_over
    from voicebridge.rehearsal.scenario import load_scenario

    for file in sorted((config_dir / "rehearsals").glob("*.yaml")):
        try:
            scenario = load_scenario(file)
        except ConfigError as error:
            report.wrong(file, error)
            continue
        report.well(file, scenario.title)
        if scenario.persona not in personas:
            message = f"no persona '{scenario.persona}'{did_you_mean(scenario.persona, personas)}"
            line = place_of(file, "persona")
            report.wrong(file, ConfigError(message, file=file, line=line, key="persona"))
        elif personas[scenario.persona] is not None:
            try:
                check_laid_over(config_dir, file, scenario)
            except ConfigError as error:
                if error.file == file:  # those of other files are told with these
                    report.wrong(file, error)


def _next_step(config_dir: Path, settings: Settings | None, report: _Report) -> str:
    if report.errors:
        count = sum(len(str(e).splitlines()) for each in report.errors.values() for e in each)
        faults = "1 fault" if count == 1 else f"{count} faults"
        return f"{faults} found. Next: correct them, then `voicebridge check {config_dir}` again."
    if settings is not None and settings.twilio_auth_token and settings.public_url:
        return f"All can be used. Next: `voicebridge serve --config {config_dir}` takes calls."
    return (
        f"All can be used. Next: `voicebridge rehearse --config {config_dir}` plays a call on this "
        "machine;\nfor calls from a real number set TWILIO_AUTH_TOKEN and VOICEBRIDGE_PUBLIC_URL."
    )

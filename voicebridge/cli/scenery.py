"""The settings and personas of a rehearsal: those of the configuration, cut off from the outside.

What a rehearsal lays over a persona is written beside a copy of its file, so that it goes through
the same loader, with the same checks, as in a call.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import SecretStr, ValidationError

from voicebridge.errors import ConfigError
from voicebridge.personas.layers import load_persona
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.personas.yaml_lines import place_of
from voicebridge.rehearsal.carrier import ACCOUNT_SID
from voicebridge.rehearsal.scenario import Scenario
from voicebridge.settings import (
    TRANSPORT_VARIABLE,
    Settings,
    SettingsFile,
    load_settings,
    process_environment,
    tool_secrets,
)

AUTH_TOKEN = "rehearsal-auth-token"  # noqa: S105 - both ends are ours and live for one call
API_KEY = "rehearsal-api-key"
API_TOKEN = "rehearsal-api-token"  # noqa: S105 - as above
HOST = "127.0.0.1"
OPT_OUT_FILE, CALLBACKS_FILE = "opt-out.txt", "callbacks.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """Where a rehearsal takes its settings from, and what stands in for the outside."""

    config_dir: Path
    file: Path
    scenario: Scenario
    out: Path
    model_url: str
    api_url: str

    @contextmanager
    def settings(self) -> Iterator[Settings]:
        """Make the settings, for as long as the rehearsal lasts.

        Raises ``ConfigError`` for what the rehearsal lays over them and cannot be used.
        """
        with TemporaryDirectory(prefix="rehearsal-") as folder:
            config_dir = self.config_dir
            self._check_persona(config_dir / "personas")
            if self.scenario.persona_with:
                config_dir = Path(folder) / "config"
                self._lay_over_persona(config_dir)
            try:
                yield self._settings(config_dir)
            except ConfigError as error:
                raise self._told(error, config_dir) from None

    def _check_persona(self, personas: Path) -> None:
        name = self.scenario.persona
        if not (personas / f"{name}.yaml").is_file():
            known = sorted(path.stem for path in personas.glob("[!_]*.yaml"))
            message = f"no persona '{name}'{did_you_mean(name, known)}"
            line = place_of(self.file, "persona")
            raise ConfigError(message, file=self.file, line=line, key="persona")

    def _lay_over_persona(self, copy: Path) -> None:
        shutil.copytree(self.config_dir, copy, ignore=shutil.ignore_patterns("rehearsals"))
        name = self.scenario.persona
        personas = copy / "personas"
        file, below = personas / f"{name}.yaml", f"_{name}-as-it-is.yaml"
        file.rename(personas / below)
        over = {"extends": below, **self.scenario.persona_with}
        file.write_text(yaml.safe_dump(over, allow_unicode=True, sort_keys=False), "utf-8")

    def _told(self, error: ConfigError, copy: Path) -> ConfigError:
        """Let an error name the file that somebody wrote, not the copy of it."""
        if error.file is None or not Path(error.file).is_relative_to(copy):
            return error
        inner = Path(error.file).relative_to(copy)
        if inner != Path("personas") / f"{self.scenario.persona}.yaml":
            file = self.config_dir / inner
            return ConfigError(error.message, file=file, line=error.line, key=error.key)
        line = place_of(self.file, "persona_with", *(error.key or "").split("."))
        key = f"persona_with.{error.key}"
        return ConfigError(error.message, file=self.file, line=line, key=key)

    def _settings(self, config_dir: Path) -> Settings:
        """Take the settings of the configuration, but nothing that could reach the outside."""
        environ = {
            "OPENAI_API_KEY": API_KEY,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "VOICEBRIDGE_REALTIME_URL": self.model_url,
            TRANSPORT_VARIABLE: process_environment().get(TRANSPORT_VARIABLE, ""),
        }
        settings = load_settings(config_dir, environ)
        local = {"host": HOST, "port": 0, "shutdown_grace_s": 0.0}
        if self.scenario.settings_with.get("outbound", {}).get("enabled"):
            local["port"] = _free_port()
        changed = settings.model_copy(
            update={
                "public_url": f"http://{HOST}:{local['port']}" if local["port"] else None,
                "default_persona": self.scenario.persona,
                # A tool works in a rehearsal as it does in a call.
                "tool_secrets": tool_secrets(self.config_dir),
                "api_token": SecretStr(API_TOKEN),
                "server": settings.server.model_copy(update=local),
                "realtime": settings.realtime.model_copy(update={"dialect": self.scenario.dialect}),
                "records": settings.records.model_copy(update={"directory": self.out}),
                "greetings": settings.greetings.model_copy(update={"directory": None}),
            }
        )
        return self._laid_over(changed)

    def _laid_over(self, settings: Settings) -> Settings:
        """Lay what the rehearsal says over the settings; files are left in its own folder."""
        over = _merged(
            {"outbound": {"api_url": self.api_url, "opt_out_file": self.out / OPT_OUT_FILE}},
            self.scenario.settings_with,
        )
        if over["outbound"].get("enabled"):
            over["outbound"]["callbacks_file"] = self.out / CALLBACKS_FILE
        before = {name: getattr(settings, name) for name in SettingsFile.model_fields}
        written = SettingsFile.model_construct(**before).model_dump(exclude_unset=False)
        try:
            changed = SettingsFile.model_validate(_merged(written, over))
        except ValidationError as error:
            place = [str(part) for part in error.errors()[0]["loc"]]
            line = place_of(self.file, "settings_with", *place)
            key = ".".join(("settings_with", *place))
            message = error.errors()[0]["msg"]
            raise ConfigError(message, file=self.file, line=line, key=key) from None
        return settings.model_copy(update={name: getattr(changed, name) for name in before})


def check_laid_over(config_dir: Path, file: Path, scenario: Scenario) -> None:
    """Raise ``ConfigError`` if what a rehearsal lays over persona and settings cannot be used."""
    scenery = Scenery(
        config_dir=config_dir,
        file=file,
        scenario=scenario,
        out=config_dir,
        model_url="ws://127.0.0.1:9/v1/realtime",
        api_url="http://127.0.0.1:9",
    )
    with scenery.settings() as settings:
        load_persona(settings.config_dir / "personas" / f"{scenario.persona}.yaml")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in over.items():
        below = both.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            both[key] = _merged(below, value)
        else:
            both[key] = value
    return both


def _free_port() -> int:
    """Find a port, for a bridge that has to know its own address before it listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

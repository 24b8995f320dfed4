"""Load the personas of a folder, and find the one that answers a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from voicebridge.errors import ConfigError
from voicebridge.personas.layers import LoadedPersona, load_persona
from voicebridge.personas.numbers import normalise_number
from voicebridge.personas.persona import Persona
from voicebridge.personas.routing import Asked, Route, Routing, Step
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.personas.yaml_lines import join_errors, load_model, place_of

PART_PREFIX = "_"
"""A file whose name begins so is only there to be extended."""


class PersonaBook(Mapping[str, Persona]):
    """Hold personas by their file's stem; one of them answers where no other is named."""

    def __init__(
        self,
        personas: Mapping[str, Persona],
        default: str,
        *,
        versions: Mapping[str, str] | None = None,
        routing: Routing | None = None,
    ) -> None:
        """Raise ConfigError when there is no persona named ``default``."""
        self._personas, self._versions = dict(personas), dict(versions or {})
        self.routing = routing or Routing()
        self._by_number = {
            number: stem for stem, persona in personas.items() for number in persona.numbers
        }
        self.default_name = default
        self._named(default, "default_persona")

    def __getitem__(self, stem: str) -> Persona:
        return self._personas[stem]

    def __iter__(self) -> Iterator[str]:
        return iter(self._personas)

    def __len__(self) -> int:
        return len(self._personas)

    @property
    def default(self) -> Persona:
        """Return the persona that answers where no other is named."""
        return self._personas[self.default_name]

    def named(self, stem: str) -> Persona:
        """Return the persona of this name; raises ConfigError with the nearest name."""
        return self._named(stem, "persona")

    def _named(self, stem: str, key: str) -> Persona:
        if stem not in self._personas:
            hint = did_you_mean(stem, self._personas)
            raise ConfigError(f"no persona '{stem}'{hint}", key=key)
        return self._personas[stem]

    def version_of(self, stem: str) -> str:
        """Return the short hash of the files that a persona was made of; empty if it has none."""
        return self._versions.get(stem, "")

    def route(self, asked: Asked) -> Route:
        """Find who answers a call: the first rule that fits, the number's persona, the default."""
        steps: list[Step] = []
        for rule, step in self.routing.steps(asked):
            steps.append(step)
            if step.fits:
                return Route(rule.persona, tuple(steps))
        number = normalise_number(asked.called)
        stem = self._by_number.get(number)
        why = f"called {number[:40] or 'nothing'} is one of its numbers"
        if stem is None:
            why = f"called {number[:40] or 'nothing'} is in no persona's numbers"
        steps.append(Step("numbers", stem is not None, why))
        if stem is None:
            steps.append(Step("default", True, "no rule and no number fits"))
        return Route(stem or self.default_name, tuple(steps))

    def name_for_number(self, to: str) -> str:
        """Return the name of the persona that answers the called number ``to``."""
        return self._by_number.get(normalise_number(to), self.default_name)


def persona_files(directory: Path) -> list[Path]:
    """List the persona files of ``directory`` by name, without those that are only parts."""
    files = sorted(directory.glob("*.yaml"))
    return [file for file in files if not file.name.startswith(PART_PREFIX)]


def part_files(directory: Path) -> list[Path]:
    """List the files of ``directory`` that are only there to be extended, by name."""
    return sorted(directory.glob(f"{PART_PREFIX}*.yaml"))


def folder_errors(directory: Path) -> list[ConfigError]:
    """Return what is wrong with the folder itself: no persona in it, or a file never read."""
    errors = [
        ConfigError(f"is not read; rename it to {file.stem}.yaml", file=file)
        for file in sorted(directory.glob("*.yml"))
    ]
    if not persona_files(directory):
        errors.append(ConfigError("no persona here; add one: front-desk.yaml", file=directory))
    return errors


def load_personas(
    directory: Path, default: str | None = None, routing: Path | None = None
) -> PersonaBook:
    """Load every persona of ``directory``; the errors of all files are told in one ConfigError.

    ``default`` is the stem of the persona that answers unrouted calls; the first by name if None.
    ``routing`` is the file of the rules; one that is not there holds none.
    """
    files = persona_files(directory)
    loaded: dict[str, LoadedPersona] = {}
    errors = folder_errors(directory)
    for file in files:
        try:
            loaded[file.stem] = load_persona(file, directory)
        except ConfigError as error:
            errors.append(error)
    personas = {stem: each.persona for stem, each in loaded.items()}
    if not errors:
        errors += repeated_numbers(directory, personas)
    rules, faults = load_routing(routing, {file.stem for file in files})
    errors += faults
    if errors:
        raise join_errors(errors)
    versions = {stem: each.version for stem, each in loaded.items()}
    return PersonaBook(personas, default or files[0].stem, versions=versions, routing=rules)


def load_routing(file: Path | None, personas: Collection[str]) -> tuple[Routing, list[ConfigError]]:
    """Load the rules of ``file``, if it is there, and what is wrong with them."""
    if file is None or not file.exists():
        return Routing(), []
    try:
        routing = load_model(file, Routing)
    except ConfigError as error:
        return Routing(), [error]
    errors = []
    for index, rule in enumerate(routing.rules):
        if rule.persona not in personas:
            message = f"no persona '{rule.persona}'{did_you_mean(rule.persona, personas)}"
            line = place_of(file, "rules", index, "persona")
            key = f"rules[{index}].persona"
            errors.append(ConfigError(message, file=file, line=line, key=key))
    return routing, errors


def repeated_numbers(directory: Path, personas: Mapping[str, Persona]) -> list[ConfigError]:
    """Return an error for each called number that two personas claim."""
    claimed: dict[str, str] = {}
    errors = []
    for stem, persona in personas.items():
        for index, number in enumerate(persona.numbers):
            other = claimed.setdefault(number, f"{stem}.yaml")
            if other != f"{stem}.yaml":
                file, key = directory / f"{stem}.yaml", f"numbers[{index}]"
                message = f"the number {number} is already answered by {other}"
                line = place_of(file, "numbers", index)
                errors.append(ConfigError(message, file=file, line=line, key=key))
    return errors

"""Load the personas of a folder, and find the one that answers a called number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from voicebridge.errors import ConfigError
from voicebridge.personas.persona import Persona, normalise_number
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.personas.yaml_lines import join_errors, load_model, place_of


class PersonaBook(Mapping[str, Persona]):
    """Hold personas by their file's stem; one of them answers where no other is named."""

    def __init__(self, personas: Mapping[str, Persona], default: str) -> None:
        """Raise ConfigError when there is no persona named ``default``."""
        self._personas = dict(personas)
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

    def name_for_number(self, to: str) -> str:
        """Return the name of the persona that answers the called number ``to``."""
        return self._by_number.get(normalise_number(to), self.default_name)

    def for_number(self, to: str) -> Persona:
        """Return the persona that answers the called number ``to``."""
        return self._personas[self.name_for_number(to)]


def persona_files(directory: Path) -> list[Path]:
    """List the persona files of ``directory`` by name."""
    return sorted(directory.glob("*.yaml"))


def folder_errors(directory: Path) -> list[ConfigError]:
    """Return what is wrong with the folder itself: no persona in it, or a file never read."""
    errors = [
        ConfigError(f"is not read; rename it to {file.stem}.yaml", file=file)
        for file in sorted(directory.glob("*.yml"))
    ]
    if not persona_files(directory):
        errors.append(ConfigError("no persona here; add one: front-desk.yaml", file=directory))
    return errors


def load_personas(directory: Path, default: str | None = None) -> PersonaBook:
    """Load every persona of ``directory``; the errors of all files are told in one ConfigError.

    ``default`` is the stem of the persona that answers unrouted calls; the first by name if None.
    """
    files = persona_files(directory)
    personas: dict[str, Persona] = {}
    errors = folder_errors(directory)
    for file in files:
        try:
            personas[file.stem] = load_model(file, Persona)
        except ConfigError as error:
            errors.append(error)
    if not errors:
        errors += repeated_numbers(directory, personas)
    if errors:
        raise join_errors(errors)
    return PersonaBook(personas, default or files[0].stem)


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

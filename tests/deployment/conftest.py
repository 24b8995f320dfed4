"""What the deployment's tests share: the container's files, taken apart."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from voicebridge.settings import load_settings


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The instructions of a Dockerfile, as pairs of name and text, in stages."""

    stages: tuple[tuple[tuple[str, str], ...], ...]

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
        stages: list[list[tuple[str, str]]] = []
        for line in filter(None, joined.splitlines()):
            name, _, text = line.partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append((name, text.strip()))
        return cls(tuple(map(tuple, stages)))

    def all(self, name: str, stage: int = -1) -> list[str]:
        """Return the texts of all instructions of that name in a stage, the last by default."""
        return [text for each, text in self.stages[stage] if each == name]

    def one(self, name: str) -> str:
        """Return the text of the only instruction of that name in the last stage."""
        (text,) = self.all(name)
        return text

    @property
    def command(self) -> list[str]:
        return _exec_form(self.one("CMD"))

    @property
    def health_command(self) -> list[str]:
        return _exec_form(self.one("HEALTHCHECK").partition("CMD ")[2])


def _exec_form(text: str) -> list[str]:
    words = json.loads(text)
    assert isinstance(words, list), f"not in exec form: {text}"
    return words


class WatchedEnvironment(dict[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings read variables by name, not all there are")


@pytest.fixture
def dockerfile(root: Path) -> Dockerfile:
    """The Dockerfile."""
    return Dockerfile.read(root / "Dockerfile")


@pytest.fixture
def service(root: Path) -> dict[str, Any]:
    """The one service of the Compose file."""
    (service,) = yaml.safe_load((root / "docker-compose.yml").read_text())["services"].values()
    return service


@pytest.fixture
def variables(root: Path) -> set[str]:
    """Every environment variable that the settings read."""
    environ = WatchedEnvironment()
    load_settings(root / "config", environ)
    return environ.asked

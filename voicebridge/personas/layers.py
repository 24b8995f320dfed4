"""A persona out of its file and those that it extends.

``extends: _house.yaml``, or a list of files, names what the file is laid over. Mappings are merged
key by key to any depth; everything else, lists included, is replaced as a whole. So is a mapping
that is a choice of one thing or another: ``greeting``, ``fallback``, ``keys``, and one that names
another ``type``. Of several files that are extended, a later one lies over an earlier one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import reduce
from pathlib import Path
from typing import Any, Final

from voicebridge.errors import ConfigError
from voicebridge.personas.persona import Persona
from voicebridge.personas.yaml_faults import did_you_mean, key_path, shown
from voicebridge.personas.yaml_lines import model_of, raise_faults, read_file
from voicebridge.personas.yaml_nodes import Document, Fault, Path_, Place

EXTENDS: Final = "extends"
MAX_FILES: Final = 16
VERSION_DIGITS: Final = 12
TYPE_UNSAID: Final = "server_vad"
"""The type of a ``turn_detection`` that names none."""

_CHOICES: Final[set[Path_]] = {("greeting",), ("fallback",), ("keys",)}


@dataclass(frozen=True, slots=True)
class LoadedPersona:
    """A persona, and the version of all the files that it was made of."""

    persona: Persona
    version: str
    files: tuple[Path, ...]


def load_persona(file: Path, folder: Path | None = None) -> LoadedPersona:
    """Load a persona with all that it extends; raises ConfigError and nothing else.

    What it extends must lie in ``folder``, by default the one of the file.
    """
    layers = _Layers(folder or file.parent)
    document = layers.read(file, ())
    persona = model_of(file, document, Persona, advise=_advice)
    return LoadedPersona(persona, layers.version(), tuple(layers.documents))


def _advice(key: str) -> str | None:
    near = SequenceMatcher(None, key.casefold(), EXTENDS).ratio() >= 0.8
    return f"unknown key '{key}'; did you mean '{EXTENDS}'?" if near else None


@dataclass(slots=True)
class _Layers:
    """Read each file once, laid over what it extends."""

    folder: Path
    documents: dict[Path, Document] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def version(self) -> str:
        """Return a short hash of the names and contents of all files."""
        digest = hashlib.sha256()
        for name, content in sorted(self.contents.items()):
            for part in (name.encode("utf-8", "surrogateescape"), content):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()[:VERSION_DIGITS]

    def read(self, file: Path, above: tuple[Path, ...]) -> Document:
        """Read ``file``; ``above`` are those that lead to it by extending."""
        if file not in self.documents:
            read, content = read_file(file)
            self.contents[os.path.relpath(file, self.folder)] = content
            document = _of_file(read, file)
            layers = [
                self._base(_Extends(file, path, name, document.places.get(path)), (*above, file))
                for path, name in _pop_extended(document, file)
            ]
            self.documents[file] = reduce(merge, [*layers, document])
        return self.documents[file]

    def _base(self, extends: _Extends, above: tuple[Path, ...]) -> Document:
        """Read a file that is extended; ``above`` ends with the one that extends it."""
        name = extends.name
        if not name.endswith(".yaml") or len(name.encode()) > 200 or not name.isprintable():
            raise extends.error(f"expected a file such as '_house.yaml', got {shown(name)}")
        base = Path(os.path.normpath(extends.file.parent / name))
        if not base.is_relative_to(os.path.normpath(self.folder)):
            raise extends.error(f"'{name}' is not in the folder of the personas")
        if base in above:
            circle = " → ".join(file.name for file in (*above[above.index(base) :], base))
            raise extends.error(f"a persona cannot extend itself: {circle}")
        if len(above) > MAX_FILES or len(self.documents) > MAX_FILES:
            raise extends.error(f"more than {MAX_FILES} files extend each other")
        if not base.is_file():
            near = did_you_mean(name, (file.name for file in sorted(base.parent.glob("*.yaml"))))
            raise extends.error(f"there is no '{name}'{near}")
        document = self.read(base, above)
        if not isinstance(document.data, dict):
            raise extends.error(f"'{name}' is empty, or not a mapping")
        return document


@dataclass(frozen=True, slots=True)
class _Extends:
    """One name behind ``extends:``, and where it stands."""

    file: Path
    path: Path_
    name: str
    place: Place | None

    def error(self, message: str) -> ConfigError:
        line = self.place.line if self.place else None
        return ConfigError(message, file=self.file, line=line, key=key_path(self.path))


def _of_file(document: Document, file: Path) -> Document:
    """Let every place of a document name its file."""
    places = {path: replace(place, file=file) for path, place in document.places.items()}
    faults = [
        replace(fault, place=replace(fault.place, file=file)) if fault.place else fault
        for fault in document.faults
    ]
    return Document(document.data, places, faults)


def _pop_extended(document: Document, file: Path) -> list[tuple[Path_, str]]:
    """Take ``extends`` out of a document: the names, each with its key's path."""
    if not isinstance(document.data, dict) or EXTENDS not in document.data:
        return []
    written: Any = document.data.pop(EXTENDS)
    if isinstance(written, str):
        return [((EXTENDS,), written)]
    is_list = isinstance(written, list) and 0 < len(written) <= MAX_FILES
    if not is_list or not all(isinstance(name, str) for name in written):
        message = f"expected a file, or a list of 1 to {MAX_FILES} files, got {shown(written)}"
        raise_faults(file, [Fault(message, (EXTENDS,), document.places.get((EXTENDS,)))])
    return [((EXTENDS, index), name) for index, name in enumerate(written)]


def merge(base: Document, over: Document) -> Document:
    """Lay one document over another, and keep of every value where it stands."""
    replaced: set[Path_] = set()
    data = _merged((), base.data, over.data, replaced)
    kept = {
        path: place
        for path, place in base.places.items()
        if not any(path[:length] in replaced for length in range(len(path) + 1))
    }
    return Document(data, {**kept, **over.places}, [*base.faults, *over.faults])


def _merged(path: Path_, base: Any, over: Any, replaced: set[Path_]) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)) or _is_choice(path, base, over):
        replaced.add(path)
        return over
    both = dict(base)
    for key, value in over.items():
        inner = (*path, key)
        both[key] = _merged(inner, base[key], value, replaced) if key in base else value
    return both


def _is_choice(path: Path_, base: dict[str, Any], over: dict[str, Any]) -> bool:
    return path in _CHOICES or ("type" in over and over["type"] != base.get("type", TYPE_UNSAID))

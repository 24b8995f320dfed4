"""Load a YAML file into a pydantic model, with errors that a person can act on.

Every error is a ConfigError that names the file, the line and column, the key's path, what was
expected, and for a misspelt name the nearest valid one. All errors of a file are told at once, a
line each; the attributes are those of the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_faults import faults_of, key_path
from voicebridge.personas.yaml_nodes import (
    MAX_BYTES,
    Document,
    Fault,
    Place,
    UnreadableError,
    read_document,
)

MAX_TOLD = 25

M = TypeVar("M", bound=BaseModel)
Advice = Callable[[str], str | None]


def _no_advice(_key: str) -> None:
    return None


def load_model(path: Path, model: type[M], *, advise: Advice = _no_advice) -> M:
    """Read the YAML file at ``path`` as a ``model``; raises ConfigError and nothing else.

    Values are checked strictly: a quoted number is text, and ``true`` is no number. ``advise`` is
    asked about each unknown key and may answer with a message of its own in place of
    "unknown key …".
    """
    return model_of(path, read_file(path)[0], model, advise=advise)


def model_of(path: Path, document: Document, model: type[M], *, advise: Advice = _no_advice) -> M:
    """Validate what the file at ``path`` says; see ``load_model``."""
    if not isinstance(document.data, dict):
        message = "the file is empty" if document.data is None else "this is not a mapping"
        names = ", ".join(model.model_fields)
        faults = document.faults or [Fault(f"{message}; expected 'key: value' lines with: {names}")]
        raise_faults(path, faults)
    loaded, faults = _validate(document, model, advise)
    if loaded is None or faults:
        raise_faults(path, faults)
    return loaded


def place_of(path: Path, *keys: str | int) -> int | None:
    """Return the line of a key of a YAML file, given as its path of names and list positions.

    None where the file has no such key; raises ConfigError when the file is not YAML at all.
    """
    place = read_file(path)[0].places.get(keys)
    return place.line if place else None


def join_errors(errors: Sequence[ConfigError]) -> ConfigError:
    """Return one ConfigError that tells all of ``errors``; its attributes are the first's."""
    first, *others = errors
    lines = [first.message, *(str(error) for error in others)]
    return ConfigError("\n".join(lines), file=first.file, line=first.line, key=first.key)


def raise_faults(path: Path, faults: Iterable[Fault]) -> NoReturn:
    """Raise one ConfigError for ``faults`` in the order of the file; at most MAX_TOLD are told."""
    ordered = sorted(faults, key=lambda fault: _order(path, fault.place))
    errors = [_error(path, fault) for fault in ordered[:MAX_TOLD]]
    if len(ordered) > MAX_TOLD:
        errors.append(ConfigError(f"and {len(ordered) - MAX_TOLD} more", file=path))
    raise join_errors(errors)


def _order(path: Path, place: Place | None) -> tuple[str, int, int]:
    """Tell the faults of the file itself first, then those of the files that it extends."""
    if place is None:
        return "", 0, 0
    elsewhere = place.file is not None and place.file != path
    return str(place.file) if elsewhere else "", place.line, place.column


def _error(path: Path, fault: Fault) -> ConfigError:
    column = f" (column {fault.place.column})" if fault.place else ""
    line = fault.place.line if fault.place else None
    key = key_path(fault.path) or None
    file = fault.place and fault.place.file
    return ConfigError(fault.message + column, file=file or path, line=line, key=key)


def read_file(path: Path) -> tuple[Document, bytes]:
    """Read the YAML file at ``path``: what it says, and its bytes; raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ConfigError(f"cannot be read: {reason}", file=path) from None
    except ValueError:  # a NUL in the path itself
        raise ConfigError("is not a path", file=str(path)) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES // 1024} KiB", file=path)
    try:
        return read_document(raw.decode("utf-8-sig")), raw
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Place(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise_faults(path, [Fault("is not UTF-8 text; save the file as UTF-8", place=place)])
    except UnreadableError as stop:
        raise_faults(path, [stop.fault])


def _validate(document: Document, model: type[M], advise: Advice) -> tuple[M | None, list[Fault]]:
    """Validate as strict JSON, in which a list may become a tuple but text never a number."""
    broken = [fault.path for fault in document.faults]
    try:
        loaded = model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        found = [
            fault
            for fault in faults_of(error, model, document.places, advise)
            # What form has spoilt already is not told a second time by its consequences.
            if not any(fault.path[: len(path)] == path for path in broken if path)
        ]
        return None, document.faults + found
    return loaded, document.faults

"""Read ``${env:NAME}``: a secret that a file refers to and never holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_ANY = re.compile(r"\$\{")
_SECRET_NAME = re.compile(
    r"authorization|token|secret|passw|credential|cookie|signature|api[_-]?key|[_-]key$",
    re.IGNORECASE,
)
_FOLDERS = ("tools", "mcp", "personas")


def checked(text: str) -> str:
    """Return ``text``; raises ValueError for a ``${`` in it that is no reference."""
    if _ANY.search(_REFERENCE.sub("", text)):
        raise ValueError("expected a secret as ${env:NAME}, the name of an environment variable")
    return text


def kept_out(name: str, text: str) -> str:
    """Return ``text``; raises ValueError if ``name`` is a secret's and the text no reference.

    Secrets stand in the environment alone: files are copied, shown and kept in histories.
    """
    checked(text)
    if _SECRET_NAME.search(name) and not _REFERENCE.search(text):
        raise ValueError(f"'{name}' is a secret: write it as ${{env:NAME}}, a variable's name")
    return text


def names_in(*texts: str) -> tuple[str, ...]:
    """Return the variables that ``texts`` refer to, each once."""
    found = [name for text in texts for name in _REFERENCE.findall(text)]
    return tuple(dict.fromkeys(found))


def filled_in(text: str, secrets: Mapping[str, SecretStr]) -> str:
    """Return ``text`` with the secrets in place; raises KeyError for one that is missing."""
    return _REFERENCE.sub(lambda match: secrets[match[1]].get_secret_value(), text)


def referred_variables(config_dir: Path) -> tuple[str, ...]:
    """Name the variables that files of tools and personas refer to, whether they are set or not.

    A file that cannot be read is passed over: its own loader says what is wrong with it.
    """
    texts: list[str] = []
    for folder in _FOLDERS:
        for file in sorted((config_dir / folder).rglob("*.yaml")):
            with suppress(OSError, UnicodeDecodeError):
                texts.append(_without_comments(file.read_text("utf-8")))
    return names_in(*texts)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))

"""Read ``${env:NAME}``: a secret that a file refers to and never holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_ANY = re.compile(r"\$\{")


def checked(text: str) -> str:
    """Return ``text``; raises ValueError for a ``${`` in it that is no reference."""
    if _ANY.search(_REFERENCE.sub("", text)):
        raise ValueError("expected a secret as ${env:NAME}, the name of an environment variable")
    return text


def names_in(*texts: str) -> tuple[str, ...]:
    """Return the variables that ``texts`` refer to, each once."""
    found = [name for text in texts for name in _REFERENCE.findall(text)]
    return tuple(dict.fromkeys(found))


def filled_in(text: str, secrets: Mapping[str, SecretStr]) -> str:
    """Return ``text`` with the secrets in place; raises KeyError for one that is missing."""
    return _REFERENCE.sub(lambda match: secrets[match[1]].get_secret_value(), text)

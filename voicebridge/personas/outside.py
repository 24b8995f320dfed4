"""Words that come from outside, such as a caller's number, made fit to stand among instructions."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_CHARACTERS: Final = 200

# What could open or close a fence, a tag, a quotation or a template.
_PLAIN: Final = str.maketrans({"<": "(", ">": ")", "{": "(", "}": ")", "`": "'", '"': "'"})
_RUN: Final = re.compile(r"([^\w\s]|_)\1{2,}")


def as_data(text: str) -> str:
    """Return ``text`` as one short line of data, whatever it was meant to be.

    Control and invisible characters are gone, blanks are single, brackets and quotes that could
    close a fence are replaced, and of a rule such as ``---`` one sign is left. At most
    ``MAX_CHARACTERS``.
    """
    kept = unicodedata.normalize("NFKC", text[: 20 * MAX_CHARACTERS])
    kept = "".join(" " if sign.isspace() else sign for sign in kept)
    kept = "".join(sign for sign in kept if unicodedata.category(sign)[0] != "C")
    kept = _RUN.sub(r"\1", " ".join(kept.translate(_PLAIN).split()))
    return kept[:MAX_CHARACTERS].rstrip()

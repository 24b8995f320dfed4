"""Telephone numbers, as people write them and as carriers send them."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")

# A withheld number comes as a word, or as that word typed on a telephone's keys.
_WITHHELD: Final = ("ANONYMOUS", "RESTRICTED", "BLOCKED", "UNAVAILABLE", "UNKNOWN", "PRIVATE")
_KEYS: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_NO_NUMBER: Final = {*_WITHHELD, *(word.translate(_KEYS) for word in _WITHHELD), ""}

ANONYMOUS: Final = "anonymous"


def normalise_number(number: str) -> str:
    """Strip what people write between the digits of a telephone number."""
    return re.sub(r"[\s().\-/]", "", number)


def is_anonymous(caller: str) -> bool:
    """Tell whether a caller withholds the number, in any of the spellings that carriers use."""
    return normalise_number(caller).removeprefix("+").upper() in _NO_NUMBER


def checked_number(written: str) -> str:
    """Return a telephone number in international form; raises ValueError for anything else."""
    number = normalise_number(written)
    if not _E164.fullmatch(number):
        raise ValueError(f"expected a number such as '+15550100002', got {written[:40]!r}")
    return number


PhoneNumber = Annotated[str, AfterValidator(checked_number), Field(examples=["+15550100002"])]

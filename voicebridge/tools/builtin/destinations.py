"""Whom a call may reach: checked here, in code, after the model has said whom it wants.

What the model says is never dialled. It is either a name that the persona gives, or a number that
is read, checked against the persona's list, and written anew. Everything that is not known to be
an ordinary telephone on that list is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from voicebridge.errors import ToolFailed
from voicebridge.personas.destinations import Destination
from voicebridge.personas.numbers import checked_number, is_anonymous
from voicebridge.tools.context import CallContext

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_WRITTEN = re.compile(r"\+[1-9][0-9 ().\-/]{6,28}")
"""Fifteen digits, and what people write between them."""

_NO_COUNTRY = "001"
"""Where satellites and other numbers of no country are at home."""


def find_destination(wanted: str, context: CallContext) -> Destination:
    """Return the place of this name, or the free number as one; raises ToolFailed."""
    named = context.destinations.get(wanted)
    if named is not None:
        return named
    if not context.allowed_numbers or not wanted.startswith("+"):
        known = ", ".join(context.destinations) or "none"
        raise ToolFailed(f"there is no destination {wanted!r}; the destinations are: {known}")
    return Destination(number=allowed_number(wanted, context.allowed_numbers))


def allowed_number(wanted: str, patterns: Collection[str]) -> str:
    """Return a free number in E.164, as it may be dialled; raises ToolFailed.

    ``patterns`` are countries (``DE``) and beginnings of numbers (``+4930``). Only telephones of
    ordinary people and businesses count: no premium, shared-cost, toll-free, satellite or short
    numbers, whatever the patterns say.
    """
    import phonenumbers

    if not _WRITTEN.fullmatch(wanted):
        raise ToolFailed(
            "this is no telephone number; numbers are written with + and the country's code, "
            "such as +493012345678"
        )
    try:
        parsed = phonenumbers.parse(wanted)
    except phonenumbers.NumberParseException:
        raise ToolFailed("this is no telephone number") from None
    if not _is_ordinary(parsed):
        raise ToolFailed("this number is not one that may be called")
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    country = phonenumbers.region_code_for_number(parsed)
    if not any(number.startswith(one) if one[0] == "+" else one == country for one in patterns):
        raise ToolFailed("this number is not one that may be called")
    return number


def callers_number(context: CallContext) -> str:
    """Return the number that the caller calls from, if one may write and call there.

    Raises ToolFailed. Who calls can write any number there, so one that costs more than others is
    none; one that only its carrier knows is taken at its word.
    """
    import phonenumbers

    if is_anonymous(context.caller):
        raise ToolFailed("the caller withholds the number, so it cannot be used")
    try:
        number = checked_number(context.caller)
        parsed = phonenumbers.parse(number)
    except (ValueError, phonenumbers.NumberParseException):
        raise ToolFailed("the caller's number is not one that can be used") from None
    country = phonenumbers.region_code_for_number(parsed)
    if country == _NO_COUNTRY or phonenumbers.number_type(parsed) in _costly():
        raise ToolFailed("the caller's number is not one that can be used")
    return number


def _costly() -> set[int]:
    import phonenumbers

    kind = phonenumbers.PhoneNumberType
    return {
        kind.PREMIUM_RATE, kind.SHARED_COST, kind.TOLL_FREE, kind.UAN, kind.PAGER, kind.VOICEMAIL
    }  # fmt: skip


def _is_ordinary(parsed: PhoneNumber) -> bool:
    """Tell whether this is a telephone of a country, at the usual price."""
    import phonenumbers

    kind = phonenumbers.PhoneNumberType
    ordinary = {kind.FIXED_LINE, kind.MOBILE, kind.FIXED_LINE_OR_MOBILE, kind.VOIP}
    return (
        parsed.extension is None
        and phonenumbers.is_valid_number(parsed)
        and phonenumbers.region_code_for_number(parsed) not in {None, _NO_COUNTRY}
        and phonenumbers.number_type(parsed) in ordinary
    )

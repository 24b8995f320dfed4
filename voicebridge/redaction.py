"""Leave out of a text what must stay secret, and mask what is personal.

Secrets are known by value, in whatever form they come, or by their looks: keys of known kinds, what
follows words such as ``token=``, passwords and queries of URLs. Of personal data those can be
recognised that have a form of their own: telephone numbers, cards, mail addresses. Words cannot;
whoever logs keeps them out.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_WHOLE_ONLY = 16
"""A longer secret is known by its beginning or its end as well: texts are cut, keys are masked."""

_PART = 8
_REST = r"""[^\s"'\\<>,;&)}\]]*"""

_SECRET_SHAPE = re.compile(
    r"""
      \b(?:sk|ek|rk|whsec)[-_][A-Za-z0-9_*.-]{8,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | (?<=://)[^\s/@:"'\\]{0,100}:[^\s/@"'\\]{1,200}(?=@)
    """,
    re.VERBOSE,
)
_SECRET_TEXT = re.compile(
    r"""
      \b(?P<scheme>Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}
    | (?P<name>\b[\w.-]{0,40}(?:authorization|token|secret|password|api[_-]?key|signature|cookie)
        ["']?\s*[:=]\s*)
      (?:\[redacted\]|"[^"]*"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s"',;&)}\]]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUERY = re.compile(
    r"""(?P<url>\b(?:https?|wss?)://[^\s?\#"'\\<>]{1,300}\?)[^\s"'\\<>]+""", re.IGNORECASE
)
_MAIL = re.compile(r"\b(?=[\w.+-]{0,64}[A-Za-z])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\d)")
_PHONE = re.compile(
    r"(?:\+|%2B|tel:|sip:)(?P<digits>\d(?:[\s().-]{0,2}\d){6,14})(?!\d)", re.IGNORECASE
)
_BARE_PHONE = re.compile(r"(?<![\w.])(?P<digits>\d(?:[\s().-]{0,2}\d){6,14})(?![\w])")


class Redaction:
    """Clean texts; secrets of fewer than four characters are not looked for."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = sorted(
            {form for secret in secrets if len(secret) >= 4 for form in _forms(secret)},
            key=lambda form: len(form.pattern),
            reverse=True,
        )
        whole = "|".join(form.pattern for form in forms)
        self._known = re.compile(whole) if whole else None

    def without_secrets(self, text: str) -> str:
        """Return ``text`` without what is surely a secret: for what keeps people's words."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return _SECRET_SHAPE.sub(REDACTED, text)

    def clean(self, text: str) -> str:
        """Return ``text`` without secrets, and with personal data masked."""
        text = _QUERY.sub(_without_query, self.without_secrets(text))
        text = _SECRET_TEXT.sub(_without_secret, text)
        text = _MAIL.sub("[address]", text)
        return _CARD.sub(_without_card, _PHONE.sub(_masked, text))

    def clean_number(self, text: str) -> str:
        """Return ``text`` cleaned where a telephone number is expected, however it is written."""
        return _BARE_PHONE.sub(_masked, self.clean(text))


def _forms(secret: str) -> Iterator[re.Pattern[str]]:
    """Yield what gives a secret away."""
    writings: tuple[Callable[[str], str], ...] = (
        str,
        lambda plain: quote(plain, safe=""),
        quote_plus,
        escape,
        lambda plain: json.dumps(plain)[1:-1],
        lambda plain: plain.encode().hex(),
    )
    for written in {write(secret) for write in writings}:
        yield re.compile(re.escape(written))
    for lead in range(3):  # wherever it begins in what was encoded as a whole
        encoded = b64encode(b"\0" * lead + secret.encode()).decode().rstrip("=")
        core = encoded[4 if lead else 0 : -1]
        if len(core) >= _PART:
            yield re.compile(r"[A-Za-z0-9+/_-]{0,4}" + re.escape(core) + r"[A-Za-z0-9+/=_-]{0,4}")
    if len(secret) >= _WHOLE_ONLY:
        beginning = secret[: secret.rfind("-", 0, _PART) + 1 + _PART]  # sk-proj- is no secret yet
        yield re.compile(re.escape(beginning) + _REST)
        yield re.compile(re.escape(secret[-_PART:]))


def _without_secret(match: re.Match[str]) -> str:
    if match["scheme"]:
        return f"{match['scheme']} {REDACTED}"
    return (match["name"] or "") + REDACTED


def _without_query(match: re.Match[str]) -> str:
    return match["url"] + REDACTED


def _without_card(match: re.Match[str]) -> str:
    """Leave a card's number out; other long numbers fail its check sum nine times of ten."""
    digits = [int(digit) for digit in reversed(match[0]) if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return "[card]" if (sum(digits[::2]) + sum(doubled)) % 10 == 0 else match[0]


def _masked(match: re.Match[str]) -> str:
    """Keep the first four digits, which name country and area, and the last two."""
    digits = re.sub(r"\D", "", match["digits"])
    shown = max(0, min(4, len(digits) - 6))
    plus = match[0][: match.start("digits") - match.start()]
    return f"{plus}{digits[:shown]}{'•' * (len(digits) - shown - 2)}{digits[-2:]}"

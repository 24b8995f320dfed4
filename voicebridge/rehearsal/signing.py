"""Sign requests as the carrier does (Twilio Media Streams, section 6).

This is the rehearsal's own arithmetic: the bridge checks signatures with code of its own, and
two independent hands agreeing is the point.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

SIGNATURE_HEADER = "X-Twilio-Signature"


def sign(auth_token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """Compute the signature of a POSTed ``form``, or of a GET or handshake when it is empty.

    A URL fragment never travels and is not signed; of a repeated field each distinct value counts.
    """
    fields = "".join(name + value for name, value in sorted(set(form)))
    text = url.partition("#")[0] + fields
    digest = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signature_header(
    auth_token: str | None, url: str, form: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Make the header that carries the signature; nothing is signed without a token."""
    return {} if auth_token is None else {SIGNATURE_HEADER: sign(auth_token, url, form)}

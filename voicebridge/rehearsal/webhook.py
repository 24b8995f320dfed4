"""Ask the bridge what to do with a call, as the carrier's webhooks do.

Requests carry the fields of the carrier's voice webhook and its signature (Twilio Media
Streams, sections 6 and 7); answers are TwiML or an error of the carrier's debugger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

import aiohttp
from yarl import URL

from voicebridge.rehearsal.phone_log import DocumentRead, PhoneLog
from voicebridge.rehearsal.signing import signature_header
from voicebridge.rehearsal.twiml_reader import Document, read_twiml

CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 5.0, 15.0
DOCUMENT_LIMIT_BYTES = 64 * 1024
TWIML_TYPES = {"text/xml", "application/xml"}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who calls whom, in whose account; ``direction`` tells who placed the call."""

    account_sid: str
    from_number: str
    to_number: str
    direction: str = "inbound"


def voice_fields(who: Subscriber, call_sid: str, status: str = "ringing") -> dict[str, str]:
    """Make the form fields of the voice webhook; blank ones are sent and signed as well."""
    place = {"City": "", "State": "", "Zip": "", "Country": "US"}
    return {
        "CallSid": call_sid,
        "AccountSid": who.account_sid,
        "From": who.from_number,
        "Caller": who.from_number,
        "To": who.to_number,
        "Called": who.to_number,
        "CallStatus": status,
        "Direction": who.direction,
        "ApiVersion": "2010-04-01",
        "StirVerstat": "TN-Validation-Passed-A",
        **{
            end + key: value
            for end in ("From", "Caller", "To", "Called")
            for key, value in place.items()
        },
    }


class _Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


class Webhook:
    """Fetch one call's documents; what goes wrong is filed in the call's log."""

    def __init__(
        self, http: aiohttp.ClientSession, log: PhoneLog, who: Subscriber, auth_token: str | None
    ) -> None:
        self._http, self._log, self._who, self._auth_token = http, log, who, auth_token
        self._base_url = ""

    async def fetch(
        self, url: str, method: str = "POST", extra: dict[str, str] | None = None
    ) -> Document | None:
        """Fetch and read the document at ``url``, which may be relative to the one before.

        None when there is no document to go on with; the log's ``errors`` say why.
        """
        self._base_url = urljoin(self._base_url, url)
        ringing = self._who.direction == "inbound" and not self._log.documents
        status = "ringing" if ringing else "in-progress"
        fields = voice_fields(self._who, self._log.call_sid, status) | (extra or {})
        url = urldefrag(self._base_url).url
        answer = await self._ask(url, method, fields)
        text = None if answer is None else self._text(url, answer)
        return None if text is None else self.read(text)

    def read(self, text: str) -> Document:
        """Read a document and file it, with what is wrong with it."""
        document = read_twiml(text)
        verbs = tuple(str(verb) for verb in document.verbs)
        self._log.documents.append(DocumentRead(self._base_url, text, verbs))
        self._log.errors.extend(document.problems)
        return document

    async def tell(self, url: str, status: str, **more: str) -> None:
        """Post a callback about this call, whose answer does not matter as long as it is a 2xx."""
        fields = voice_fields(self._who, self._log.call_sid, status) | more
        answer = await self._ask(url, "POST", fields)
        if answer is not None and not 200 <= answer.status < 300:
            self._log.errors.append(f"11200: {url} answered {answer.status}")

    async def _ask(self, url: str, method: str, fields: dict[str, str]) -> _Answer | None:
        """Send a signed request; None, and a line in the log, if there is no answer."""
        form = list(fields.items()) if method == "POST" else []
        if method != "POST":
            url = str(URL(url).update_query(fields))
        headers = signature_header(self._auth_token, url, form)
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            async with self._http.request(
                method,
                URL(url, encoded=True),
                data=form or None,
                headers=headers,
                timeout=timeout,
            ) as response:
                return _Answer(response.status, response.content_type, await response.read())
        except aiohttp.ClientConnectorError as error:
            self._log.errors.append(f"11205: no connection to {url}: {error}")
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            self._log.errors.append(f"11200: {url}: {type(error).__name__}: {error}".rstrip(": "))
        return None

    def _text(self, url: str, answer: _Answer) -> str | None:
        if answer.status != 200:
            problem = f"11200: {url} answered {answer.status}"
        elif answer.content_type not in TWIML_TYPES:
            problem = f"12300: {url} answered {answer.content_type}, not XML"
        elif len(answer.body) > DOCUMENT_LIMIT_BYTES:
            problem = f"11750: {url} answered more than {DOCUMENT_LIMIT_BYTES} bytes"
        else:
            return answer.body.decode("utf-8", "replace")
        self._log.errors.append(problem)
        return None

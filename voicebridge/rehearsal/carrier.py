"""Play the carrier: ring the bridge's webhook, read its TwiML, open the stream that it names.

What a real call would meet, a rehearsed one meets as well: signatures on the webhook and the
handshake, the verbs after the stream once the bridge closes it, the debugger's error codes.
Speech of ``<Say>`` and ``<Play>`` is noted, not sounded; a ``<Dial>`` counts as answered and over.
Stream status callbacks are not sent.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from voicebridge.rehearsal import twiml_reader as twiml
from voicebridge.rehearsal.behaviour import CallerBehaviour
from voicebridge.rehearsal.notes import Listener, PhoneNote, PhoneNoteKind, ignore
from voicebridge.rehearsal.phone import Phone
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.signing import signature_header
from voicebridge.rehearsal.stream import MediaStream, Network
from voicebridge.rehearsal.twilio_wire import StreamWriter
from voicebridge.rehearsal.webhook import Subscriber, Webhook

HANDSHAKE_TIMEOUT_S = 5.0
DOCUMENTS_LIMIT = 20
ACCOUNT_SID = "AC" + "0" * 32


@dataclass(kw_only=True)
class CarrierOptions:
    """How the simulated carrier behaves.

    Without ``auth_token`` nothing is signed. ``network_delay_ms`` is one way; jitter adds
    0 … ``jitter_ms`` to it, and nothing overtakes.
    """

    auth_token: str | None = field(default=None, repr=False)
    account_sid: str = ACCOUNT_SID
    from_number: str = "+15550100001"
    to_number: str = "+15550100002"
    network_delay_ms: int = 0
    jitter_ms: int = 0
    seed: int = 0
    on_event: Listener | None = None


@dataclass
class SimulatedCarrier(CarrierOptions):
    """A carrier that places calls to one webhook; each call has its own log and telephone."""

    webhook_url: str

    async def place_call(self, behaviour: CallerBehaviour, *, deadline_s: float) -> PhoneLog:
        """Place a call and carry it to its end; after ``deadline_s`` the caller hangs up.

        Never raises for what the bridge does wrong: the log's ``errors`` and
        ``protocol_violations`` tell.
        """
        log = PhoneLog(
            call_sid="CA" + secrets.token_hex(16),
            network_delay_ms=self.network_delay_ms,
            jitter_ms=self.jitter_ms,
        )
        timeout = aiohttp.ClientTimeout(total=None, connect=HANDSHAKE_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            call = _CallInProgress(self, log, http, behaviour, time.monotonic() + deadline_s)
            await call.carry()
        return log


class _CallInProgress:
    """One call from the first ring to the last verb."""

    def __init__(
        self,
        carrier: SimulatedCarrier,
        log: PhoneLog,
        http: aiohttp.ClientSession,
        behaviour: CallerBehaviour,
        deadline: float,
    ) -> None:
        self._carrier, self._log, self._http = carrier, log, http
        self._behaviour, self._deadline = behaviour, deadline
        self._phone = Phone(log)
        self._connected_before = False
        who = Subscriber(carrier.account_sid, carrier.from_number, carrier.to_number)
        self._webhook = Webhook(http, log, who, carrier.auth_token)
        self._notify = carrier.on_event or ignore

    async def carry(self) -> None:
        log = self._log
        log.answered_at = time.monotonic()
        self._tell("dial", self._carrier.webhook_url)
        try:
            async with asyncio.timeout(self._deadline - log.answered_at + HANDSHAKE_TIMEOUT_S):
                await self._follow_documents()
        except TimeoutError:
            log.ended_by = "deadline"
        log.ended_at = time.monotonic()
        for error in log.errors:
            self._tell("error", error)
        self._tell("hang_up", log.ended_by)

    async def _follow_documents(self) -> None:
        document = await self._webhook.fetch(self._carrier.webhook_url)
        for _ in range(DOCUMENTS_LIMIT):
            if document is None:
                self._log.ended_by = "carrier"
                return
            following = await self._follow(document)
            if following is None:
                self._log.ended_by = self._log.ended_by or "bridge"
                return
            document = await self._webhook.fetch(*following)
        self._log.errors.append(f"11200: more than {DOCUMENTS_LIMIT} documents in one call")
        self._log.ended_by = "carrier"

    async def _follow(self, document: twiml.Document) -> tuple[str, str, dict[str, str]] | None:
        """Carry out the verbs; return what to fetch next, None when the call is over."""
        for verb in document.verbs:
            if self._connected_before:
                self._log.verbs_after_stream.append(str(verb))
                self._tell("verb", str(verb))
            match verb:
                case twiml.Connect():
                    self._connected_before = True
                    await self._stream(verb)
                    if self._log.ended_by in {"caller", "deadline"}:
                        return None
                    if verb.action:
                        return verb.action, verb.method, {}
                case twiml.Redirect(url, method):
                    return url, method, {}
                case twiml.Dial(_, action, method) if action:
                    return action, method, {"DialCallStatus": "completed"}
                case twiml.Pause(length_s):
                    await asyncio.sleep(length_s)
                case twiml.Hangup():
                    return None
                case _:
                    continue  # said and played texts are noted above, no sound is made
        return None

    async def _stream(self, connect: twiml.Connect) -> None:
        carrier, log = self._carrier, self._log
        socket = await self._open(connect.url)
        if socket is None:
            return
        self._tell("connected", connect.url)
        writer = StreamWriter("MZ" + secrets.token_hex(16), log.call_sid, carrier.account_sid)
        network = Network(carrier.network_delay_ms, carrier.jitter_ms, carrier.seed)
        stream = MediaStream(
            socket, self._phone, self._behaviour, writer, network=network, notify=self._notify
        )
        log.ended_by = await stream.run(connect.parameters, self._deadline)

    async def _open(self, url: str) -> aiohttp.ClientWebSocketResponse | None:
        headers = signature_header(self._carrier.auth_token, url)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                return await self._http.ws_connect(
                    URL(url, encoded=True), headers=headers, compress=0, max_msg_size=0
                )
        except aiohttp.WSServerHandshakeError as error:
            self._log.errors.append(f"31920: {url} answered {error.status}")
        except TimeoutError:
            self._log.errors.append(f"31901: {url} did not answer in time")
        except (aiohttp.ClientError, ConnectionError) as error:
            code = 31910 if urlsplit(url).scheme == "wss" else 31902
            self._log.errors.append(f"{code}: no connection to {url}: {error}")
        return None

    def _tell(self, kind: PhoneNoteKind, text: str = "") -> None:
        self._notify(PhoneNote(time.monotonic(), kind, text))

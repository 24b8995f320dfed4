"""One call at the simulated carrier, from the first ring to the last verb."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from voicebridge.rehearsal import twiml_verbs as twiml
from voicebridge.rehearsal.behaviour import CallerBehaviour
from voicebridge.rehearsal.notes import Listener, PhoneNote, PhoneNoteKind, ignore
from voicebridge.rehearsal.phone import Phone
from voicebridge.rehearsal.phone_log import PhoneLog, VerbDone
from voicebridge.rehearsal.placed_call import PlacedCall
from voicebridge.rehearsal.rooms import Rooms
from voicebridge.rehearsal.signing import signature_header
from voicebridge.rehearsal.stream import MediaStream, Network
from voicebridge.rehearsal.twilio_wire import StreamWriter
from voicebridge.rehearsal.webhook import Webhook

HANDSHAKE_TIMEOUT_S = 5.0
DOCUMENTS_LIMIT = 20
RING_S = 0.3
Next = tuple[str, str, dict[str, str]]
"""What to fetch next: its url, the method, and fields to add."""


class Options(Protocol):
    """What a call needs to know of the carrier."""

    auth_token: str | None
    account_sid: str
    on_event: Listener | None
    dials: tuple[str, ...]
    rooms: Rooms


class CallInProgress:
    """Follow the bridge's documents; all that happens is filed in ``log``."""

    def __init__(
        self,
        log: PhoneLog,
        http: aiohttp.ClientSession,
        webhook: Webhook,
        behaviour: CallerBehaviour,
        *,
        network: Network,
        options: Options,
    ) -> None:
        self._log, self._http, self._webhook = log, http, webhook
        self._behaviour, self._network, self._options = behaviour, network, options
        self._phone, self._deadline = Phone(log), 0.0
        self._connected_before = False
        self._connected = asyncio.Event()
        self._dials = iter(options.dials)
        self._notify = options.on_event or ignore

    async def carry(self, url: str, deadline: float, method: str = "POST") -> None:
        """Carry the call to its end; at ``deadline`` the caller hangs up."""
        log, self._deadline = self._log, deadline
        log.answered_at = time.monotonic()
        self._tell("dial", url)
        try:
            async with asyncio.timeout(deadline - log.answered_at + HANDSHAKE_TIMEOUT_S):
                await self._follow_documents(url, method)
        except TimeoutError:
            log.ended_by = "deadline"
        log.ended_at = time.monotonic()
        for error in log.errors:
            self._tell("error", error)
        self._tell("hang_up", log.ended_by)

    async def carry_placed(self, placed: PlacedCall, deadline: float) -> None:
        """Carry a call that the bridge has asked for, and tell it how that goes."""
        told = {"initiated": "initiated", "ringing": "ringing", "answered": "in-progress"}
        for event, status in told.items():
            if event in placed.status_events:
                await self._webhook.tell(placed.status_url, status)
        async with asyncio.TaskGroup() as tasks:
            detecting = tasks.create_task(self._detect(placed))
            await self.carry(placed.url, deadline, placed.method)
            detecting.cancel()
        if "completed" in placed.status_events:
            await self._webhook.tell(placed.status_url, "completed")

    async def _detect(self, placed: PlacedCall) -> None:
        """Tell who has taken the call."""
        if not placed.machine_url:
            return
        await self._connected.wait()
        await asyncio.sleep(placed.detected_after_ms / 1000)
        self._tell("carrier", f"answered by {placed.answered_by}")
        more = {"MachineDetectionDuration": str(placed.detected_after_ms)}
        await self._webhook.tell(
            placed.machine_url, "in-progress", AnsweredBy=placed.answered_by, **more
        )

    async def _follow_documents(self, url: str, method: str) -> None:
        document = await self._webhook.fetch(url, method)
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

    async def _follow(self, document: twiml.Document) -> Next | None:
        """Carry out the verbs; return what to fetch next, None when the call is over."""
        streams = any(isinstance(verb, twiml.Connect) for verb in document.verbs)
        for verb in document.verbs:
            if self._connected_before or not streams:
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
                case twiml.Dial(_, action, method):
                    told = await self._dial(verb)
                    self._done(f"{verb}: {told['DialCallStatus']}")
                    if action:
                        return action, method, told
                case twiml.Say() | twiml.Play():
                    self._done(str(verb))  # noted, no sound is made
                case twiml.Record(action, method) if action:
                    return action, method, {"RecordingDuration": "1", "Digits": "hangup"}
                case twiml.Gather(_, action, method, _, True) if action:
                    return action, method, {"Digits": ""}
                case twiml.Pause(length_s):
                    await asyncio.sleep(length_s)
                case twiml.Hangup():
                    return None
                case _:
                    continue
        return None

    async def _dial(self, dial: twiml.Dial) -> dict[str, str]:
        """Dial somebody, or join a conference, and say how that went."""
        leg = {"DialCallSid": "CA" + secrets.token_hex(16)}
        if isinstance(dial.target, twiml.Conference):
            await self._options.rooms.join(dial.target)
            return {"DialCallStatus": "answered"}
        await asyncio.sleep(RING_S)
        status = next(self._dials, "completed")
        self._tell("carrier", f"{dial.target}: {status}")
        if status != "completed":
            return {**leg, "DialCallStatus": status, "DialBridged": "false"}
        bridged = {"DialCallDuration": "1", "DialBridged": "true"}
        return {**leg, "DialCallStatus": status, **bridged}

    async def _stream(self, connect: twiml.Connect) -> None:
        options, log = self._options, self._log
        socket = await self._open(connect.url)
        if socket is None:
            return
        self._tell("connected", connect.url)
        self._connected.set()
        writer = StreamWriter("MZ" + secrets.token_hex(16), log.call_sid, options.account_sid)
        stream = MediaStream(
            socket,
            self._phone,
            self._behaviour,
            writer,
            network=self._network,
            notify=self._notify,
        )
        log.ended_by = await stream.run(connect.parameters, self._deadline)

    async def _open(self, url: str) -> aiohttp.ClientWebSocketResponse | None:
        headers = signature_header(self._options.auth_token, url)
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

    def _done(self, text: str) -> None:
        self._log.verbs_done.append(VerbDone(text, self._phone.carrier_ms))

    def _tell(self, kind: PhoneNoteKind, text: str = "") -> None:
        self._notify(PhoneNote(time.monotonic(), kind, text))

"""The switchboard: from a media stream that was let in to a call that runs and is recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import structlog

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.bridge.carrier_leg import CarrierLeg
from voicebridge.bridge.manners import manners_for
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.registry import CallRegistry
from voicebridge.bridge.session import session_for
from voicebridge.bridge.socket import TextSocket
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call.call import Call
from voicebridge.call.reasons import EndReason
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Started
from voicebridge.errors import ConfigError
from voicebridge.log import call_scope
from voicebridge.personas.context import PersonaContext
from voicebridge.personas.library import PersonaLibrary
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.persona import Persona
from voicebridge.realtime import Client
from voicebridge.records.record import CallRecord
from voicebridge.records.recording import Recording, Recordings
from voicebridge.records.store import RecordStore
from voicebridge.redaction import Redaction
from voicebridge.server.call_config import call_config
from voicebridge.server.callers import Callers
from voicebridge.server.colleagues import Colleagues, for_call
from voicebridge.server.crew.board import Board, Slot
from voicebridge.server.early_dial import EarlyDials
from voicebridge.server.expected import Expected, Prepared
from voicebridge.server.greetings import GreetingCache, greeting_key
from voicebridge.server.lines import Lines
from voicebridge.server.memories import Memories, Remembered
from voicebridge.server.prices import prices_of
from voicebridge.server.security import StreamTokens
from voicebridge.server.spending import Purse, Spending
from voicebridge.settings import Settings
from voicebridge.tools.context import CallContext
from voicebridge.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

GOODBYE_WITHIN_S = 10.0
"""How long a call may still last once it was asked to end."""


class Switchboard:
    """Everything that calls of this process share.

    ``slot`` is what it shares with the other workers of its node, if there are any.
    """

    def __init__(
        self,
        settings: Settings,
        library: PersonaLibrary,
        tools: ToolRegistry,
        client: Client,
        slot: Slot | None = None,
    ) -> None:
        self.settings, self._library = settings, library
        self.calls = CallRegistry()
        self.colleagues: Colleagues | None = None
        """Those who can be asked before a transfer, where the carrier can be asked to call them."""
        self.memories = Memories()
        self.tokens = StreamTokens()
        self.tools, self._client = tools, client
        self._store = RecordStore(settings.records.directory)
        self.redaction = Redaction(settings.secret_values())
        self._store.clean = self.redaction.without_secrets
        self.recordings = Recordings(settings.records.directory, settings.records.recording_days)
        self.early = EarlyDials()
        self.greetings = GreetingCache(settings.greetings.directory)
        self.slot = slot or Board.alone().slots[0]
        self.lines = Lines(self.slot, settings.server.max_calls, self.calls, self.early)
        self.spending = Spending(settings.limits, self.slot.board)
        self.callers = Callers(settings.limits.calls_per_caller_per_minute, self.slot.board)
        self._draining = False

    @property
    def personas(self) -> PersonaBook:
        """The personas as they were last taken up."""
        return self._library.book

    async def take_up_personas(self) -> PersonaBook:
        """Return the personas as they are now, for a call that begins."""
        return await asyncio.to_thread(self._library.current)

    @property
    def ready(self) -> bool:
        """Whether a further stream may come in: fewer run than there are lines."""
        free = self.lines.live < self.settings.server.max_calls
        return free and not self._draining and not self.spending.exhausted

    def has_line_for(self, call_id: str = "") -> bool:
        """Tell whether a call can be answered; one that was answered has its line kept a while."""
        return self.ready and self.lines.free_for(call_id)

    def expect(self, expected: Expected) -> str | None:
        """Await a call's stream and dial its model already now; returns the stream's token.

        None if no line is free, or if its persona cannot be used for it, which the log tells.
        """
        if not self.has_line_for(expected.call_id):
            return None
        try:
            prepared = self.prepare(expected)
        except ConfigError as error:  # words that became too long for this one call
            log.error("persona_unusable", error=str(error))  # noqa: TRY400 - a file, not a bug
            return None
        if key := greeting_key(prepared.persona, _model_name(self.settings, prepared.persona)):
            self.greetings.prefetch(key)
        with self.slot.board.lock:
            if not self.lines.free_for(expected.call_id):
                return None
            model = self.early.start(expected.call_id, partial(self._dial, prepared.persona))
        return self.tokens.mint(replace(expected, prepared=prepared, model=model))

    async def run_call(self, socket: TextSocket, started: Started, expected: Expected) -> EndReason:
        """Run one call on a stream that has started; returns when it is over and recorded."""
        with call_scope(started.call_id):
            return await self._run_call(socket, started, expected)

    async def _run_call(
        self, socket: TextSocket, started: Started, expected: Expected
    ) -> EndReason:
        try:
            prepared = expected.prepared or self.prepare(expected)
        except ConfigError as error:
            log.error("persona_unusable", error=str(error))  # noqa: TRY400 - a file, not a bug
            self.calls.closed(started.call_id, EndReason.BRIDGE_FAULT)
            return EndReason.BRIDGE_FAULT
        persona = prepared.persona
        memory = self.memories.take_up(started.call_id)
        record = _record_of(expected, prepared, memory)
        model = _model_name(self.settings, persona)
        key = greeting_key(persona, model) if expected.greeting is None else None
        spoken = self.greetings.find(key) if key is not None else None
        tools = self.tools.for_persona(persona.tools)
        prices = prices_of(model, self.settings.limits.prices)
        purse = self.spending.purse(prices)
        early = self.early.claim(started.call_id, expected.model)
        recording = self.recordings.begin(started.call_id) if persona.keep.recording else None
        config = call_config(
            persona,
            tools,
            greeting=expected.greeting,
            spoken=spoken,
            values=prepared.told,
            earlier=memory.story,
        )
        runner = CallRunner(
            Call(replace(config, taped=recording is not None)),
            CarrierLeg(socket, twilio, started),
            partial(self._model_for, persona, early, purse),
            record,
            partial(self._tool_runner, persona, expected, memory),
        )
        purse.feed, runner.hands.recording = runner.feed, recording
        if key is not None:
            runner.hands.keep_greeting = partial(self.greetings.keep, key)
        self.calls.opened(started.call_id, runner)
        log.info("call_started", persona=expected.persona, caller=expected.caller)
        begun, reason = time.monotonic(), EndReason.BRIDGE_FAULT
        try:
            reason = await runner.run()
        finally:
            record.close(reason, time.monotonic() - begun)
            record.spent_usd = purse.spent_usd
            await self._save(record, recording)
            dial_next = runner.hands.dial_next if reason is EndReason.TRANSFERRED else None
            self.memories.leave(started.call_id, reason)
            self.calls.closed(started.call_id, reason, dial_next=dial_next, runner=runner)
            if self.colleagues is not None:
                self.colleagues.stream_ended(started.call_id, reason)
            log.info("call_ended", reason=str(reason), duration_s=round(record.duration_s, 1))
        return reason

    async def drain(self) -> None:
        """Take no further calls and let those that run come to their end."""
        self._draining = True
        await self.early.close()
        await self.calls.drain(self.settings.server.shutdown_grace_s, GOODBYE_WITHIN_S)

    def prepare(self, expected: Expected) -> Prepared:
        """Fill in the words of a call's persona; raises ``ConfigError`` if they become too long."""
        book, name = self.personas, expected.persona
        if name not in book:  # its file may have been removed since the call was answered
            name = book.default_name
        context = PersonaContext(
            caller=expected.caller,
            called=expected.called,
            now=datetime.now(UTC),
            params=expected.params,
        )
        persona = book[name].rendered(context)
        return Prepared(name, book.version_of(name), persona, persona.told(context))

    async def _model_for(
        self, persona: Persona, early: Callable[[], Awaitable[ModelLeg]] | None, purse: Purse
    ) -> ModelLeg:
        leg = await (early() if early else self._dial(persona))
        leg.on_usage = purse.used
        return leg

    async def _dial(self, persona: Persona) -> ModelLeg:
        tools = self.tools.for_persona(persona.tools)
        return await ModelLeg.dial(
            self._client,
            _model_name(self.settings, persona),
            session_for(
                persona,
                tools,
                server_answers=not manners_for(persona).ours,
                secrets=self.settings.tool_secrets,
            ),
            timeout_s=self.settings.realtime.connect_timeout_s,
        )

    def _tool_runner(
        self, persona: Persona, expected: Expected, memory: Remembered, runner: CallRunner
    ) -> ToolRunner:
        context = CallContext(
            call_id=expected.call_id,
            caller=expected.caller,
            called=expected.called,
            persona=expected.persona,
            hang_up=lambda reason: None,  # the runner of a tool hears its wishes
            business=persona.business,
            facts=persona.facts,
            variables=memory.variables,
            secrets=memory.secrets,
            destinations=persona.destinations,
            recipients=persona.recipients,
            allowed_numbers=persona.allowed_numbers,
            colleagues=for_call(self.colleagues, expected.front),
        )
        tools = {tool.name: tool for tool in self.tools.for_persona(persona.tools)}
        return ToolRunner(tools, context, runner.feed)

    async def _save(self, record: CallRecord, recording: Recording | None) -> None:
        if recording is not None:
            await recording.close(record)
        try:
            await asyncio.to_thread(self._store.save, record)
        except OSError as error:
            log.error("record_not_saved", error=str(error))  # noqa: TRY400 - the disk, not a bug


def _record_of(expected: Expected, prepared: Prepared, memory: Remembered) -> CallRecord:
    """Open the record of a call that begins now."""
    return CallRecord(
        call_id=expected.call_id,
        persona=prepared.name,
        caller=expected.caller,
        called=expected.called,
        started_at=datetime.now(UTC),
        persona_version=prepared.version,
        keeps_words=prepared.persona.keep.transcript,
        memory=memory.story,
    )


def _model_name(settings: Settings, persona: Persona) -> str:
    return settings.realtime.model or persona.model

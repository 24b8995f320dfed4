"""The switchboard: from a media stream that was let in to a call that runs and is recorded."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial

import structlog

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.bridge.carrier_leg import CarrierLeg
from voicebridge.bridge.greeting import greeting_instructions
from voicebridge.bridge.manners import manners_for
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.phrases import load_phrases
from voicebridge.bridge.registry import CallRegistry
from voicebridge.bridge.session import session_for
from voicebridge.bridge.socket import TextSocket
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolRules
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Started
from voicebridge.log import call_scope
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.persona import Persona
from voicebridge.realtime import Client
from voicebridge.records.record import CallRecord
from voicebridge.records.store import RecordStore
from voicebridge.server.security import Expected, StreamTokens
from voicebridge.settings import Settings
from voicebridge.tools.context import CallContext
from voicebridge.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

GOODBYE_WITHIN_S = 10.0
"""How long a call may still last once it was asked to end."""


class Switchboard:
    """Everything that calls of this process share."""

    def __init__(
        self, settings: Settings, personas: PersonaBook, tools: ToolRegistry, client: Client
    ) -> None:
        self.settings, self.personas = settings, personas
        self.calls = CallRegistry()
        self.tokens = StreamTokens()
        self._tools, self._client = tools, client
        self._store = RecordStore(settings.records.directory)
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether a further call would be taken."""
        return not self._draining and len(self.calls) < self.settings.server.max_calls

    async def run_call(self, socket: TextSocket, started: Started, expected: Expected) -> EndReason:
        """Run one call on a stream that has started; returns when it is over and recorded."""
        with call_scope(started.call_id):
            return await self._run_call(socket, started, expected)

    async def _run_call(
        self, socket: TextSocket, started: Started, expected: Expected
    ) -> EndReason:
        persona = self.personas.named(expected.persona)
        record = CallRecord(
            call_id=started.call_id,
            persona=expected.persona,
            caller=expected.caller,
            called=expected.called,
            started_at=datetime.now(UTC),
        )
        runner = CallRunner(
            Call(_config(persona)),
            CarrierLeg(socket, twilio, started),
            partial(self._dial, persona),
            record,
            partial(self._tool_runner, persona, expected),
        )
        self.calls.opened(started.call_id, runner)
        log.info("call_started", persona=expected.persona, caller=expected.caller)
        begun, reason = time.monotonic(), EndReason.BRIDGE_FAULT
        try:
            reason = await runner.run()
        finally:
            record.close(reason, time.monotonic() - begun)
            await self._save(record)
            self.calls.closed(started.call_id, reason)
            log.info("call_ended", reason=str(reason), duration_s=round(record.duration_s, 1))
        return reason

    async def drain(self) -> None:
        """Take no further calls and let those that run come to their end."""
        self._draining = True
        await self.calls.drain(self.settings.server.shutdown_grace_s, GOODBYE_WITHIN_S)

    async def _dial(self, persona: Persona) -> ModelLeg:
        tools = self._tools.for_persona(persona.tools)
        return await ModelLeg.dial(
            self._client,
            self.settings.realtime.model or persona.model,
            session_for(persona, tools, server_answers=not manners_for(persona).ours),
            timeout_s=self.settings.realtime.connect_timeout_s,
        )

    def _tool_runner(self, persona: Persona, expected: Expected, runner: CallRunner) -> ToolRunner:
        context = CallContext(
            call_id=expected.call_id,
            caller=expected.caller,
            called=expected.called,
            persona=expected.persona,
            hang_up=lambda reason: None,  # the runner of a tool hears its wishes
            business=persona.business,
            facts=persona.facts,
        )
        tools = {tool.name: tool for tool in self._tools.for_persona(persona.tools)}
        return ToolRunner(tools, context, runner.feed)

    async def _save(self, record: CallRecord) -> None:
        try:
            await asyncio.to_thread(self._store.save, record)
        except OSError as error:
            log.error("record_not_saved", error=str(error))  # noqa: TRY400 - the disk, not a bug


def _config(persona: Persona) -> CallConfig:
    limits = persona.limits
    return CallConfig(
        greeting=greeting_instructions(persona),
        phrases=load_phrases(),
        manners=manners_for(persona),
        max_duration_s=limits.max_duration_s,
        silence_s=limits.silence_s,
        goodbye_s=limits.goodbye_s,
        tools=ToolRules(timeout_s=limits.tool_timeout_s),
    )

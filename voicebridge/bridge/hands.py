"""The hands of a call: carry out its commands, at once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from voicebridge.bridge.carrier_leg import CarrierLeg
from voicebridge.bridge.corridor import Corridor
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.outbox import OutboxFull
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.records.record import CallRecord
from voicebridge.records.recording import Recording

log = structlog.get_logger(__name__)


class Hands:
    """What the commands of one call act on. ``model`` is there once its session runs."""

    def __init__(
        self, carrier: CarrierLeg, corridor: Corridor, tools: ToolRunner, record: CallRecord
    ) -> None:
        self.model: ModelLeg | None = None
        self.dial_next: str | None = None
        """The number to which the carrier is to connect the caller after the stream."""
        self.keep_greeting: Callable[[bytes], None] | None = None
        """Takes the audio of a greeting for later calls."""
        self.recording: Recording | None = None
        """Keeps the sound of the call, if anything does."""
        self._carrier, self._corridor = carrier, corridor
        self._tools, self._record = tools, record

    def ear(self) -> Callable[[str, int], None]:
        """Return what gets the caller's frames: the corridor, and the recording if there is one."""
        recording, hear = self.recording, self._corridor.hear
        if recording is None:
            return hear

        def hear_and_keep(payload: str, timestamp_ms: int) -> None:
            recording.hear(payload, timestamp_ms)
            hear(payload, timestamp_ms)

        return hear_and_keep

    def carry_out(self, command: do.Command, group: asyncio.TaskGroup) -> ev.Event | None:
        """Do what a command says; returns what has happened if a leg reads no more.

        Only such a leg fills its outbox: it is lost, and nothing else is.
        """
        try:
            match command:
                case do.SendAudio() | do.SendMark() | do.SendClear():
                    self._carrier.send(command)
                case (
                    do.CreateResponse()
                    | do.CancelResponse()
                    | do.TruncateItem()
                    | do.DeleteItem()
                    | do.SendToolCall()
                    | do.SendToolOutput()
                    | do.AnswerApproval()
                    | do.SendUserText()
                    | do.SendSystemText()
                    | do.SendAgentText()
                ):
                    if self.model is not None:
                        self.model.send(command)
                case do.OpenValve() | do.CloseValve() | do.MuteCaller() | do.UnmuteCaller():
                    self._turn_valve(command)
                case do.RunTool():
                    self._tools.start(command, group)
                case do.CancelTool(call_id):
                    self._tools.cancel(call_id)
                case do.GiveKeys(call_id, keys):
                    self._tools.give_keys(call_id, keys)
                case do.KeepGreeting(audio):
                    if self.keep_greeting is not None:
                        self.keep_greeting(audio)
                case do.KeepHeard(at_bytes, audio):
                    if self.recording is not None:
                        self.recording.heard(at_bytes, audio)
                case do.DialNext(number):
                    self.dial_next = number
                case do.HangUp(reason):
                    log.info("hanging_up", reason=str(reason), call_id=self._record.call_id)
                case _:
                    self._record.note(command)
        except OutboxFull as full:
            if isinstance(command, do.SendAudio | do.SendMark | do.SendClear):
                return ev.StreamEnded(EndReason.CARRIER_LOST, str(full))
            return ev.ModelLost(EndReason.MODEL_LOST, str(full))
        return None

    def _turn_valve(
        self, command: do.OpenValve | do.CloseValve | do.MuteCaller | do.UnmuteCaller
    ) -> None:
        match command:
            case do.OpenValve() if self.model is not None:
                self._corridor.open(self.model)
            case do.CloseValve():
                self._corridor.close()
            case do.MuteCaller() | do.UnmuteCaller():
                self._corridor.muted = muted = isinstance(command, do.MuteCaller)
                if self.recording is not None:
                    self.recording.mute(self._carrier.clock_ms, muted)
            case _:
                raise AssertionError("the valve opens when the model's session runs")

"""The shell of one call: events in, commands out, one timer, one TaskGroup."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from voicebridge.bridge.alarm import Alarm
from voicebridge.bridge.brake import Brake
from voicebridge.bridge.carrier_leg import MOST_FAULTS, CarrierLeg
from voicebridge.bridge.corridor import Corridor
from voicebridge.bridge.hands import Hands
from voicebridge.bridge.meanings import Meaning
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.outbox import Outbox, OutboxFull
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.bridge.watch import CarrierWatch
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call
from voicebridge.call.reasons import EndReason
from voicebridge.carriers.base import Marked, Message, Pressed, Stopped
from voicebridge.errors import (
    CarrierError,
    CarrierProtocolError,
    RealtimeError,
    RealtimeProtocolError,
    SessionMismatch,
)
from voicebridge.records.record import CallRecord

log = structlog.get_logger(__name__)

MOST_LATE = 1000
"""Events that may wait from timers and commands."""

CLOSE_WITHIN_S = 5.0


class CallRunner:
    """Runs one call from its stream's start to its end."""

    def __init__(
        self,
        call: Call,
        carrier: CarrierLeg,
        dial: Callable[[], Awaitable[ModelLeg]],
        record: CallRecord,
        tools: Callable[[CallRunner], ToolRunner],
    ) -> None:
        self.record = record
        self._call, self._carrier, self._dial = call, carrier, dial
        self._model: ModelLeg | None = None
        self._faulty = False
        self._fault: Exception | None = None
        self._more_to_feed = False
        self._late: Outbox[ev.Event] = Outbox(MOST_LATE)
        self._corridor = Corridor(call.floor.ear, self._model_full)
        self._watch = CarrierWatch(self._corridor, self._carrier_lost)
        self._brake = Brake(carrier, call.floor.playout)
        carrier.on_room = self._brake.check
        self.hands = Hands(carrier, self._corridor, tools(self), record)
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(call.next_deadline, self._deadline_passed)
        self._over = asyncio.Event()
        self._group = asyncio.TaskGroup()

    @property
    def ended(self) -> EndReason | None:
        """Why the call is over, or None while it goes on."""
        return EndReason.BRIDGE_FAULT if self._faulty else self._call.ended

    async def run(self) -> EndReason:
        """Run the call to its end and return why it ended; never raises for a fault of its own."""
        try:
            async with self._group as group:
                workers = [
                    group.create_task(work)
                    for work in (
                        self._read_carrier(),
                        self._write_carrier(),
                        self._talk_to_model(),
                        self._feed_late(),
                    )
                ]
                self._watch.start()
                self.feed(ev.StreamStarted())
                await self._over.wait()
                self._own_up()
                for worker in workers:
                    worker.cancel()
        except* Exception as faults:
            self._faulty = True
            log.exception("call_fault", faults=[type(one).__name__ for one in faults.exceptions])
            self.record.note(do.NoteProblem(self._carrier.clock_ms, "a fault of the bridge"))
        finally:
            self._watch.stop()
            self._alarm.stop()
            await self._close_legs()
        return self.ended or EndReason.BRIDGE_FAULT

    def _own_up(self) -> None:
        """Raise in the call's own group what went wrong in the middle of a socket's work."""
        if self._fault is not None:
            raise self._fault

    def feed(self, event: ev.Event) -> None:
        """Hand an event to the call and carry out what follows; never waits."""
        for command in self._call.handle(event, self._loop.time(), self._carrier.clock_ms):
            if lost := self.hands.carry_out(command, self._group):
                self._late.put(lost)
        if not self._more_to_feed:
            self._conclude()

    def _conclude(self) -> None:
        """Send together what was written down, and look at the end and at the clock."""
        try:
            self._carrier.flush()
        except OutboxFull as full:
            self._late.put(ev.StreamEnded(EndReason.CARRIER_LOST, str(full)))
        self._brake.check()
        if self._call.ended:
            self._over.set()
        self._alarm.check()

    def _deadline_passed(self) -> None:
        self._late.put(ev.DeadlineReached())

    async def _feed_late(self) -> None:
        """Feed what came from outside the call's own tasks, so that a fault has an owner."""
        while True:
            for event in await self._late.take():
                self.feed(event)

    # --- the carrier --------------------------------------------------------------------------

    async def _read_carrier(self) -> None:
        try:
            await self._carrier.read(self.hands.ear(), self._take, self._crowd)
        except CarrierProtocolError as error:
            self.feed(ev.StreamEnded(EndReason.CARRIER_FAULT, str(error)))
        else:
            self.feed(ev.StreamEnded(EndReason.CARRIER_LOST, "the stream broke off without a stop"))

    def _carrier_lost(self, why: str) -> None:
        self._late.put(ev.StreamEnded(EndReason.CARRIER_LOST, why))

    def _model_full(self, error: OutboxFull) -> None:
        self._late.put(ev.ModelLost(EndReason.MODEL_LOST, f"the model stopped reading: {error}"))

    def _crowd(self, several: bool) -> None:
        if self._model is not None:
            try:
                self._model.crowd(several)
            except OutboxFull as error:
                self._model_full(error)

    def _take(self, said: Message | CarrierProtocolError | list[Meaning]) -> None:
        """Take what was said in the middle of a socket's own work, where nothing may be raised."""
        try:
            if isinstance(said, list):
                self._model_says(said)
            else:
                self._carrier_says(said)
        except Exception as fault:
            self._fault = fault
            self._over.set()

    def _carrier_says(self, message: Message | CarrierProtocolError) -> None:
        if isinstance(message, Marked):
            self.feed(ev.MarkEchoed(message.name))
            return
        match message:
            case Pressed(digit):
                if self.hands.recording is not None:
                    self.hands.recording.key(self._carrier.clock_ms)
                self.feed(ev.DigitPressed(digit))
            case Stopped():
                self.feed(ev.StreamEnded(EndReason.CALLER_HUNG_UP))
            case CarrierProtocolError() if self._carrier.faults > MOST_FAULTS:
                self.feed(ev.StreamEnded(EndReason.CARRIER_FAULT, str(message)))
            case CarrierProtocolError():
                self.record.note(do.NoteProblem(self._carrier.clock_ms, str(message)))
            case _:
                log.debug("carrier_message_passed_over", kind=type(message).__name__)

    async def _write_carrier(self) -> None:
        try:
            await self._carrier.write()
        except CarrierError as error:
            self.feed(ev.StreamEnded(EndReason.CARRIER_LOST, str(error)))

    # --- the model ----------------------------------------------------------------------------

    async def _talk_to_model(self) -> None:
        try:
            self._model = self.hands.model = self._brake.model = await self._dial()
            self.feed(ev.ModelReady())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._model.write())
                group.create_task(self._model.listen(self._take))
        except* SessionMismatch as faults:
            self._lose_model(EndReason.MODEL_MISMATCH, str(faults.exceptions[0]))
        except* RealtimeError as faults:
            early = self._model is None
            reason = EndReason.MODEL_UNREACHABLE if early else EndReason.MODEL_LOST
            self._lose_model(reason, str(faults.exceptions[0]))

    def _model_says(self, meanings: list[Meaning]) -> None:
        self._more_to_feed = True
        try:
            for meaning in meanings:
                if isinstance(meaning, RealtimeProtocolError):
                    what = "an event of the model's that could not be read"
                    self.record.note(do.NoteProblem(self._carrier.clock_ms, what, str(meaning)))
                else:
                    self.feed(meaning)
        finally:
            self._more_to_feed = False
        self._conclude()

    def _lose_model(self, reason: EndReason, detail: str) -> None:
        self.hands.model = None
        self._corridor.close()
        # What comes after the colon are the server's words: they are for the record alone.
        log.warning("model_lost", reason=str(reason), detail=detail.partition(": ")[0])
        self.feed(ev.ModelLost(reason, detail))

    # --- the end ------------------------------------------------------------------------------

    async def _close_legs(self) -> None:
        self.record.frames_received = self._carrier.frames
        hearing = self._call.floor.playout.hearing(self._carrier.clock_ms)
        self.record.positions_estimated = hearing.estimated
        self.record.silence_filled_ms = self._corridor.filled_ms
        self.record.frames_forwarded = self._model.appended if self._model else 0
        try:
            # Together: an end that answers no goodbye must not keep the other waiting.
            async with asyncio.timeout(CLOSE_WITHIN_S), asyncio.TaskGroup() as closing:
                closing.create_task(self._carrier.close())
                if self._model is not None:
                    closing.create_task(self._model.close())
        except TimeoutError:
            log.warning("leg_close_timed_out")

"""Run one media stream: the carrier's clock, the line with its delay, and the handset at its end.

One task reads the socket. One task is the line: every 20 ms, without drift, it lets the handset
spend a frame, and in between it hands over what the simulated network has let through.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import aiohttp

from voicebridge.rehearsal import twilio_wire as wire
from voicebridge.rehearsal.behaviour import CallerBehaviour
from voicebridge.rehearsal.handset import Handset
from voicebridge.rehearsal.network import LINE_LIMIT, DelayLine
from voicebridge.rehearsal.notes import Listener
from voicebridge.rehearsal.phone import FRAME_MS, Phone
from voicebridge.rehearsal.phone_log import EndedBy, StreamOpened

CLOSE_TIMEOUT_S = 2.0
FRAME_S = FRAME_MS / 1000


@dataclass(frozen=True, slots=True)
class Closed:
    """The socket closed; the end travels the line like everything before it."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Network:
    """What lies between carrier and bridge: the same delay and jitter in both directions."""

    delay_ms: int = 0
    jitter_ms: int = 0
    seed: int = 0

    def outward(self) -> DelayLine[str]:
        """Make the direction to the bridge."""
        return DelayLine(self.delay_ms, self.jitter_ms, random.Random(f"{self.seed} outward"))

    def inward(self) -> DelayLine[str | bytes | Closed]:
        """Make the direction from the bridge."""
        return DelayLine(self.delay_ms, self.jitter_ms, random.Random(f"{self.seed} inward"))


class MediaStream:
    """One bidirectional media stream on an open websocket, from ``connected`` to the close."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        phone: Phone,
        behaviour: CallerBehaviour,
        writer: wire.StreamWriter,
        *,
        network: Network,
        notify: Listener,
    ) -> None:
        self._socket, self._log = socket, phone.log
        self._outward, self._inward = network.outward(), network.inward()
        self._handset = Handset(phone, behaviour, writer, self._outward.put, notify)
        self._wake = asyncio.Event()
        self._ticks, self._started_at = 0, time.monotonic()
        self._closed: Closed | None = None
        self._log.streams.append(
            StreamOpened(writer.stream_sid, self._started_at, self._started_at, phone.carrier_ms)
        )

    async def run(self, parameters: dict[str, str], deadline: float) -> EndedBy:
        """Carry the call until somebody ends it; at ``deadline`` the caller does.

        A bridge that stops reading cannot hold it much longer than that.
        """
        self._handset.pick_up(parameters, self._started_at)
        try:
            async with asyncio.timeout(deadline - time.monotonic() + CLOSE_TIMEOUT_S):
                async with asyncio.TaskGroup() as tasks:
                    reader = tasks.create_task(self._read())
                    await self._run_line(deadline)
                    reader.cancel()
        except TimeoutError:
            self._handset.leaving = "deadline"
        self._handset.put_down(time.monotonic())
        await self._close()
        if self._closed is not None:
            self._log.close_code = self._closed.code
        return self._handset.leaving or "bridge"

    async def _run_line(self, deadline: float) -> None:
        while self._closed is None:
            now = time.monotonic()
            if now >= deadline and not self._handset.leaving:
                self._handset.hang_up("deadline", now)
            self._advance(now)
            await self._flush(now)
            if not self._handset.leaving:
                waiting = (self._next_tick, self._outward.next_due, self._inward.next_due)
                await self._sleep_until(min(waiting))
            elif len(self._outward):
                await self._sleep_until(self._outward.next_due)
            else:
                return

    @property
    def _next_tick(self) -> float:
        return self._started_at + self._ticks * FRAME_S

    async def _sleep_until(self, moment: float) -> None:
        self._wake.clear()
        delay_s = max(0.0, moment - time.monotonic())
        timer = asyncio.get_running_loop().call_later(delay_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _advance(self, now: float) -> None:
        """Do what is due in the order in which it fell due, ticks and arrivals alike."""
        while not self._handset.leaving and self._closed is None:
            tick_at, arrival_at = self._next_tick, self._inward.next_due
            if arrival_at <= min(tick_at, now):
                self._deliver(now)
            elif tick_at <= now:
                self._log.late_ticks += now - tick_at > FRAME_S
                self._ticks += 1
                self._handset.tick(now)
            else:
                return

    def _deliver(self, now: float) -> None:
        arrival = self._inward.take(now)
        if arrival is None:
            return
        arrived_at, content = arrival
        if isinstance(content, Closed):
            self._closed = content
        else:
            self._handset.take(content, now, arrived_at)

    async def _flush(self, now: float) -> None:
        while (due := self._outward.take(now)) is not None:
            try:
                await self._socket.send_str(due[1])
            except (ConnectionError, aiohttp.ClientError):
                return  # the reader sees the close as well, and that ends the stream in its turn

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            now = time.monotonic()
            if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                self._inward.put(Closed(self._socket.close_code), now)
                self._wake.set()
                return
            if len(self._inward) < LINE_LIMIT:
                self._inward.put(message.data, now)
            else:
                self._handset.violate(wire.BUFFER_OVERFLOW, "too many messages under way", now)
            self._wake.set()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        except (TimeoutError, ConnectionError, aiohttp.ClientError):
            return  # a peer that does not answer the close is gone all the same

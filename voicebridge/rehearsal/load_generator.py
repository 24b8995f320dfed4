"""The process that plays telephones and model server for ``voicebridge bench load``.

It writes one JSON line with the address of its model server, reads one with what to do, and
writes one with the figures. What it measures runs on another core.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import sys
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any

from voicebridge.rehearsal.load_figures import LoadFigures, Spread, damage, together
from voicebridge.rehearsal.load_model import Exchange, LoadModel
from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_process import Memory, cpu_s, memory, waited_s

HOST = "127.0.0.1"
PRIORITY = -10
"""Other work on the machine makes a generator late that does not go before it."""

SLOT_S = 0.001
DIAL_EVERY_S = 0.03
SETTLE_S = 2.0
UNDER_WAY_S = 0.7
"""How long the last frames may take before they count as lost."""

OPEN_AFTER_S = 1.0
_MODEL_SLOT = 7
"""A session is ticked so many slots from its phone."""


Play = Callable[[dict[str, Any], Exchange], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: so many calls to a port, measured for so long, beside a process at work."""

    calls: int
    seconds: float
    port: int
    pid: int
    idle: Memory


class Generator:
    """Telephones, sessions, and the clock that drives both."""

    def __init__(self, exchange: Exchange) -> None:
        self.late_ms = array("f")
        self.measuring = False
        self._exchange = exchange
        self._slot = 0
        self._begun = monotonic()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Drive until ``stop``."""
        self._begun, self._slot = monotonic(), 0
        self._tick()

    def stop(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        # Not the loop's clock, which may stand still while the loop is busy: that is the lateness.
        while (due := self._begun + self._slot * SLOT_S) <= (now := monotonic()):
            if self.measuring:
                self.late_ms.append((now - due) * 1000)
            self._play(self._slot)
            self._slot += 1
        # A timer of less than a millisecond would ring at once, again and again until it is due.
        self._timer = self._loop.call_later(max(SLOT_S, due - now), self._tick)

    def _play(self, slot: int) -> None:
        for phone in self._exchange.phones.due(slot):
            phone.tick()
        for session in self._exchange.sessions.due(slot + _MODEL_SLOT):
            session.tick()


async def measure(order: Order, exchange: Exchange) -> LoadFigures:
    """Place the calls, measure them, and hang up."""
    generator = Generator(exchange)
    generator.start()
    await _dial(order, exchange)
    await asyncio.sleep(SETTLE_S)
    _measure_from(exchange, monotonic_ns())
    generator.measuring = True
    begun, spent, own = monotonic(), cpu_s(order.pid), cpu_s(os.getpid())
    waited = waited_s(order.pid)
    await asyncio.sleep(order.seconds)
    window_s = monotonic() - begun
    spent, own = cpu_s(order.pid) - spent, cpu_s(os.getpid()) - own
    waited = waited_s(order.pid) - waited
    generator.measuring = False
    _measure_from(exchange, 1 << 62)
    filled = 160 * sum(session.heard.filled for session in exchange.sessions)
    grown_kb = memory(order.pid).own_kb - order.idle.own_kb
    generator.stop()
    await asyncio.sleep(UNDER_WAY_S)
    phones, sessions = list(exchange.phones), list(exchange.sessions)
    broken, harm = order.calls - sum(phone.talking for phone in phones), damage(phones, sessions)
    for phone in phones:
        phone.leave()
    await asyncio.sleep(OPEN_AFTER_S)
    return LoadFigures(
        calls=order.calls,
        window_s=round(window_s, 2),
        cpu_ms=round(1000 * spent / order.calls / window_s, 3),
        generator_cpu_percent=round(100 * own / window_s, 1),
        held_up_percent=round(100 * waited / window_s, 1),
        late_ms=Spread.of(generator.late_ms),
        idle_kb=order.idle.pss_kb,
        memory_kb_per_call=round(grown_kb / order.calls, 1),
        up_ms=together(session.heard.latency_ms for session in sessions),
        down_ms=together(phone.heard.latency_ms for phone in phones),
        set_up_ms=Spread.of(
            (session.first_frame_ns - session.phone.dialled_ns) / 1e6
            for session in sessions
            if session.phone and session.first_frame_ns
        ),
        clear_ms=Spread.of(delay for phone in phones for delay in phone.clear_delays_ms),
        barge_ins=sum(session.spoken.barge_ins for session in sessions),
        lost=harm.lost,
        repeated=harm.repeated,
        swapped=harm.swapped,
        altered=harm.altered,
        stale=160 * sum(phone.stale for phone in phones),
        filled=filled,
        broken=broken,
        left_open=exchange.open_sessions(),
    )


async def _dial(order: Order, exchange: Exchange) -> None:
    loop = asyncio.get_running_loop()
    for number in range(order.calls):
        phone = LoadPhone(number, "/twilio/media")
        exchange.phones.add(number, phone)
        await loop.create_connection(lambda phone=phone: phone, HOST, order.port)  # type: ignore[misc]
        await asyncio.sleep(DIAL_EVERY_S)


def _measure_from(exchange: Exchange, moment_ns: int) -> None:
    exchange.measure_from_ns = moment_ns
    arrivals = [phone.heard for phone in exchange.phones]
    arrivals += [session.heard for session in exchange.sessions]
    for each in arrivals:
        each.measure_from_ns = moment_ns


async def serve(certificate: Path | None, play: Play, exchange: Exchange) -> None:
    """Be the model server and the telephones of one run: ``play`` gets the order."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LoadModel(exchange), HOST, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    scheme = "wss" if context else "ws"
    write_line({"model_url": f"{scheme}://{HOST}:{port}/v1/realtime"})
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if line:
        write_line(await play(json.loads(line), exchange))
    server.close()


async def _measure_once(order: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    gc.collect()
    gc.disable()  # a collection would be lateness of ours
    idle = Memory(**order.pop("idle"))
    return (await measure(Order(**order, idle=idle), exchange)).to_dict()


def write_line(values: dict[str, Any]) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def run(play: Play, *, tool_share: float = 0.0) -> None:
    """Be a generator by the command line: CORE [CERTIFICATE]."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    with suppress(PermissionError):  # only a privileged user may go before others
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    certificate = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    factory = asyncio.new_event_loop
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(certificate, play, Exchange(tool_share=tool_share)))


if __name__ == "__main__":
    run(_measure_once)

"""The process that plays telephones and model server for ``voicebridge bench load --soak``.

So many lanes, in each of which one call follows another: it rings the webhook, talks for some
seconds and ends in one of several ways. It speaks with whoever started it as the load generator
does, and tells each sample as it takes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import count
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from voicebridge.rehearsal.carrier import ACCOUNT_SID
from voicebridge.rehearsal.load_figures import Spread, lost_down, lost_up
from voicebridge.rehearsal.load_generator import (
    HOST,
    OPEN_AFTER_S,
    UNDER_WAY_S,
    Generator,
    run,
    write_line,
)
from voicebridge.rehearsal.load_model import Exchange, LoadModel
from voicebridge.rehearsal.load_phone import LoadPhone, call_sid_of
from voicebridge.rehearsal.load_process import memory, open_files
from voicebridge.rehearsal.load_soak_figures import Sample, SoakCounts, SoakFigures
from voicebridge.rehearsal.twiml_reader import Connect, read_twiml
from voicebridge.rehearsal.webhook import Subscriber, voice_fields

SHORTEST_S, LONGEST_S = 5.0, 60.0
HURRY_S = 0.5
RING_WITHIN_S = 15.0
CLOSE_WITHIN_S = 10.0
AFTER_LOSS_S = 8.0
"""How long a caller whose model is lost listens to what the bridge has to say."""

AGAIN_AFTER_S = 1.0
MOST_INCIDENTS = 50
TOOL_SHARE = 0.2
CALLED = "+15550100002"


class End(Enum):
    """How a call is to end; the values are shares in percent."""

    HUNG_UP = 55
    CUT_OFF = 25
    HURRIED = 12
    MODEL_LOST = 8


@dataclass(frozen=True, slots=True)
class SoakOrder:
    """What to do: so many calls at a time, for so long, against a bridge's port and process."""

    calls: int
    minutes: float
    port: int
    pid: int
    seed: int
    sample_every_s: float


class Soak:
    """Calls that come and go, and what comes of them."""

    def __init__(self, order: SoakOrder, exchange: Exchange, http: aiohttp.ClientSession) -> None:
        self.counts = SoakCounts()
        self._order, self._exchange, self._http = order, exchange, http
        self._numbers = count()
        self._chance = Random(order.seed)
        self._until = monotonic() + order.minutes * 60

    async def run_lane(self) -> None:
        """Play one call after another until the time is over."""
        await asyncio.sleep(self._chance.uniform(0, min(5.0, self._order.minutes * 6)))
        while (rest_s := self._until - monotonic()) > 0:
            (end,) = self._chance.choices(list(End), [end.value for end in End])
            if rest_s < SHORTEST_S:
                end = End.HURRIED
            within_s = (0.0, HURRY_S) if end is End.HURRIED else (SHORTEST_S, LONGEST_S)
            await self._play(end, min(self._chance.uniform(*within_s), rest_s))

    async def _play(self, end: End, lasts_s: float) -> None:
        number = next(self._numbers)
        connect = await self._ring(number)
        if connect is None:
            self.counts.broken += 1
            self._tell(number, "the webhook did not connect it")
            await asyncio.sleep(AGAIN_AFTER_S)
            return
        phone = LoadPhone(number, urlsplit(connect.url).path, connect.parameters)
        self._exchange.phones.add(number, phone)
        try:
            async with asyncio.timeout(RING_WITHIN_S):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: phone, HOST, self._order.port)
            await self._talk(phone, end, lasts_s)
        except OSError as error:  # and TimeoutError
            self.counts.broken += 1
            self._tell(number, f"no stream: {error!r}")
        finally:
            phone.abort()
            self.counts.frames += phone.sent
            self._exchange.phones.drop(number)

    async def _ring(self, number: int) -> Connect | None:
        """Ask the bridge what to do with a call; None if it does not connect it."""
        who = Subscriber(ACCOUNT_SID, f"+1555{number % 10**7:07d}", CALLED)
        url = f"http://{HOST}:{self._order.port}/twilio/voice"
        try:
            async with self._http.post(url, data=voice_fields(who, call_sid_of(number))) as reply:
                verbs = read_twiml(await reply.text()).verbs
        except (aiohttp.ClientError, TimeoutError):
            return None
        return next((verb for verb in verbs if isinstance(verb, Connect)), None)

    async def _talk(self, phone: LoadPhone, end: End, lasts_s: float) -> None:
        if await _gone_within(phone, lasts_s):
            self.counts.broken += 1
            self._tell(phone.number, f"ended by the bridge within {lasts_s:.1f} s")
            return
        sessions = [session for session in self._exchange.sessions if session.phone is phone]
        match end:
            case End.HUNG_UP:
                self.counts.hung_up += 1
                await self._check_for_loss(phone, sessions, lasts_s)
                phone.leave()
            case End.HURRIED:
                self.counts.hurried += 1
                phone.leave()
            case End.CUT_OFF:
                self.counts.cut_off += 1
                phone.abort()
            case End.MODEL_LOST:
                self.counts.model_lost += 1
                self._count_harm(phone, sessions)  # what comes now are the bridge's own words
                for session in sessions:
                    session.abort()
                await _gone_within(phone, AFTER_LOSS_S)
                phone.leave()
        if not await _gone_within(phone, CLOSE_WITHIN_S):
            self.counts.slow_to_close += 1
            self._tell(phone.number, f"{end.name} after {lasts_s:.1f} s and not closed")
        if end is not End.MODEL_LOST:
            self._count_harm(phone, sessions)

    async def _check_for_loss(
        self, phone: LoadPhone, sessions: Sequence[LoadModel], lasted_s: float
    ) -> None:
        """Let both ends fall silent, let arrive what is under way, and count what is missing."""
        phone.fall_silent()
        for session in sessions:
            session.plan.stop()
        await _gone_within(phone, UNDER_WAY_S)
        up, down = lost_up([phone], sessions), lost_down(sessions)
        self.counts.lost += up + down
        if up or down:
            self._tell(
                phone.number,
                f"after {lasted_s:.1f} s {up} of {phone.sent} frames lost on the way up and "
                f"{down} on the way down, {len(sessions)} sessions",
            )

    def _count_harm(self, phone: LoadPhone, sessions: Iterable[LoadModel]) -> None:
        for way, heard in (("down", phone.heard), *(("up", one.heard) for one in sessions)):
            self.counts.repeated += heard.repeated
            self.counts.swapped += heard.swapped
            self.counts.altered += heard.altered
            self.counts.filled += heard.filled
            if heard.repeated or heard.swapped or heard.altered:
                self._tell(
                    phone.number,
                    f"on the way {way} {heard.repeated} frames repeated, {heard.swapped} swapped, "
                    f"{heard.altered} altered",
                )

    def _tell(self, number: int, what: str) -> None:
        if len(self.counts.incidents) < MOST_INCIDENTS:
            self.counts.incidents.append(f"call {number}: {what}")

    def sweep(self) -> None:
        """Forget the sessions that are over, once what they did is counted."""
        for session in list(self._exchange.sessions):
            if session.over and (session.phone is None or session.phone.gone.is_set()):
                self._exchange.sessions.drop(session.number)
                self.counts.barge_ins += session.spoken.barge_ins
                self.counts.tools_called += session.spoken.tools_called
                self.counts.tools_answered += session.spoken.tools_answered


class Watch:
    """Looks at the bridge every few seconds."""

    def __init__(self, order: SoakOrder, exchange: Exchange, generator: Generator) -> None:
        self.samples: list[Sample] = []
        self._order, self._exchange, self._generator = order, exchange, generator
        self._begun = monotonic()

    def look(self, ended: int) -> Sample:
        """Take a sample."""
        late = Spread.of(self._generator.late_ms)
        del self._generator.late_ms[:]
        return Sample(
            round(monotonic() - self._begun, 1),
            memory(self._order.pid),
            open_files(self._order.pid),
            len(self._exchange.phones),
            self._exchange.open_sessions(),
            ended,
            late.p99,
        )

    async def run(self, soak: Soak) -> None:
        """Take samples, and tell them, until the soak's time is over."""
        lasts_s = self._order.minutes * 60
        for number in count(1):
            due_s = number * self._order.sample_every_s
            if due_s >= lasts_s:
                return
            await asyncio.sleep(max(0.0, self._begun + due_s - monotonic()))
            soak.sweep()
            self.samples.append(self.look(soak.counts.ended))
            write_line({"sample": asdict(self.samples[-1]), "wrong": soak.counts.wrong})


async def soak(order: SoakOrder, exchange: Exchange) -> SoakFigures:
    """Let calls come and go, look at the bridge meanwhile, and once more at the end."""
    generator = Generator(exchange)
    generator.start()
    generator.measuring = True
    timeout = aiohttp.ClientTimeout(total=RING_WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        watch = Watch(order, exchange, generator)
        idle = watch.look(0)
        calls = Soak(order, exchange, http)
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(calls))
            for _ in range(order.calls):
                group.create_task(calls.run_lane())
    await asyncio.sleep(OPEN_AFTER_S)
    calls.sweep()
    generator.stop()
    after = watch.look(calls.counts.ended)
    return SoakFigures(
        order.calls, order.minutes, order.seed, idle, after, watch.samples, calls.counts
    )


async def _gone_within(phone: LoadPhone, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await phone.gone.wait()
    return phone.gone.is_set()


async def _play(order: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    figures = await soak(SoakOrder(**order), exchange)
    return {"soak": figures.to_dict()}


if __name__ == "__main__":
    run(_play, tool_share=TOOL_SHARE)

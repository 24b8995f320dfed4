"""``voicebridge serve`` with a stopwatch: from the caller's speech to the clear, in this process.

A process of its own, so that nothing of it lies on the path of a bridge that is not measured:
``python -m voicebridge.cli.bench.timed_serve CONFIG TIMES``. The stopwatch starts when the model's
``speech_started`` has been read from its socket and decoded, and stops when the ``clear`` has been
handed to the carrier's socket. At its end the process writes pairs to TIMES, as JSON, in ms: by
the clock, and by the processor's time for this process, which other processes have no part in.
"""

from __future__ import annotations

import json
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.bridge.socket import PushSocket, TextSocket
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.carriers.base import Started
from voicebridge.cli.serve import run_serve
from voicebridge.server import running, switchboard
from voicebridge.server.expected import Expected

times_ms: list[tuple[float, float]] = []


class Stopwatch:
    """One call's."""

    _started: tuple[float, float] | None = None

    def start(self) -> None:
        """Start it."""
        self._started = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Keep the time, if it was running."""
        if self._started is not None:
            wall, work = self._started
            passed_s, worked_s = time.perf_counter() - wall, time.process_time() - work
            times_ms.append((passed_s * 1000, worked_s * 1000))
            self._started = None


_watch: ContextVar[Stopwatch] = ContextVar("watch")


class TimedSocket:
    """A carrier's socket that stops the watch behind a clear."""

    def __init__(self, socket: TextSocket, watch: Stopwatch) -> None:
        self._socket, self.watch = socket, watch
        self.receive, self.close = socket.receive, socket.close

    async def send(self, text: str) -> None:
        """Send a message."""
        await self._socket.send(text)
        if _is_clear(text):
            self.watch.stop()


class TimedPushSocket(TimedSocket):
    """The same for a socket that takes messages without waiting."""

    def __init__(self, socket: PushSocket, watch: Stopwatch) -> None:
        super().__init__(cast(TextSocket, socket), watch)
        self.listen, self._post = socket.listen, socket.post

    def post(self, texts: list[str]) -> bool:
        """Send messages at once."""
        sent = self._post(texts)
        if sent and any(map(_is_clear, texts)):
            self.watch.stop()
        return sent


def _is_clear(text: str) -> bool:
    return '"clear"' in text[:40]


def _timed(socket: TextSocket, watch: Stopwatch) -> TimedSocket:
    if isinstance(socket, PushSocket):
        return TimedPushSocket(socket, watch)
    return TimedSocket(socket, watch)


class TimedRunner(CallRunner):
    """A call that starts the watch when the caller begins to speak."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._stopwatch = _watch.get()  # events come from sockets, which know no call

    def feed(self, *events: ev.Event) -> None:
        """Hand events to the call."""
        if any(isinstance(event, ev.SpeechStarted) for event in events):
            self._stopwatch.start()
        super().feed(*events)


class TimedSwitchboard(switchboard.Switchboard):
    """A switchboard whose calls have a stopwatch each."""

    async def run_call(self, socket: TextSocket, started: Started, expected: Expected) -> EndReason:
        """Run one call."""
        watch = Stopwatch()
        _watch.set(watch)
        return await super().run_call(_timed(socket, watch), started, expected)


def main(config: Path, times: Path) -> int:
    """Serve on a free port until told to stop, then write the times."""
    setattr(switchboard, "CallRunner", TimedRunner)  # noqa: B010 - a name, exchanged for this process
    setattr(running, "Switchboard", TimedSwitchboard)  # noqa: B010
    status = run_serve(config, None, 0, insecure=False)
    times.write_text(json.dumps(times_ms), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

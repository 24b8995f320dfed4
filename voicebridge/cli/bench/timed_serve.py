"""``voicebridge serve`` with a stopwatch: from the caller's speech to the clear, in this process.

A process of its own, so that nothing of it lies on the path of a bridge that is not measured:
``python -m voicebridge.cli.bench.timed_serve CONFIG TIMES``. The stopwatch starts when the model's
``speech_started`` has been read from its socket and decoded, and stops when the ``clear`` has been
handed to the carrier's socket; at its end the process writes the times, in ms, as JSON to TIMES.
"""

from __future__ import annotations

import json
import sys
import time
from contextvars import ContextVar
from pathlib import Path

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.bridge.socket import TextSocket
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.carriers.base import Started
from voicebridge.cli.serve import run_serve
from voicebridge.server import running, switchboard
from voicebridge.server.security import Expected

times_ms: list[float] = []


class Stopwatch:
    """One call's."""

    started: float | None = None

    def stop(self) -> None:
        """Keep the time, if it was running."""
        if self.started is not None:
            times_ms.append((time.perf_counter() - self.started) * 1000)
            self.started = None


_watch: ContextVar[Stopwatch] = ContextVar("watch")


class TimedSocket:
    """A carrier's socket that stops the watch behind a clear."""

    def __init__(self, socket: TextSocket, watch: Stopwatch) -> None:
        self._socket, self._watch = socket, watch
        self.receive, self.close = socket.receive, socket.close

    async def send(self, text: str) -> None:
        """Send a message."""
        await self._socket.send(text)
        if '"clear"' in text[:40]:
            self._watch.stop()


class TimedRunner(CallRunner):
    """A call that starts the watch when the caller begins to speak."""

    def feed(self, event: ev.Event) -> None:
        """Hand an event to the call."""
        if isinstance(event, ev.SpeechStarted):
            _watch.get().started = time.perf_counter()
        super().feed(event)


class TimedSwitchboard(switchboard.Switchboard):
    """A switchboard whose calls have a stopwatch each."""

    async def run_call(self, socket: TextSocket, started: Started, expected: Expected) -> EndReason:
        """Run one call."""
        watch = Stopwatch()
        _watch.set(watch)
        return await super().run_call(TimedSocket(socket, watch), started, expected)


def main(config: Path, times: Path) -> int:
    """Serve on a free port until told to stop, then write the times."""
    setattr(switchboard, "CallRunner", TimedRunner)  # noqa: B010 - a name, exchanged for this process
    setattr(running, "Switchboard", TimedSwitchboard)  # noqa: B010
    status = run_serve(config, None, 0, insecure=False)
    times.write_text(json.dumps(times_ms), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

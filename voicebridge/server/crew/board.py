"""The board of a node: what its workers have to agree on, whichever of them a call is at.

It lies in memory that processes share by being forked, so it outlives each of them but the
supervisor: what a crashed worker has spent stays spent. A node without workers has one in its own
memory. The lock is the kernel's on a file without a name, which a process that dies lets go of;
it is held for microseconds, by whoever decides by the board and then writes on it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from types import TracebackType

from voicebridge.server.crew.tallies import Happenings, Sums, Whereabouts

_CELLS = 8
_SLOT_BYTES = _CELLS * 8


class State(IntEnum):
    """How a worker is; one that is leaving goes on with its own calls and takes no others."""

    DOWN = 0
    STARTING = 1
    UP = 2
    LEAVING = 3


class _Cell:
    """A whole number on the board: read and written at once, never in part."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, slot: Slot, _: type[Slot] | None = None) -> int:
        return int(slot.cells[self._place])

    def __set__(self, slot: Slot, value: int) -> None:
        slot.cells[self._place] = value


class Slot:
    """What one worker tells the others; when it is down, its supervisor writes here.

    ``live`` calls run and ``kept`` ones were answered and have a line kept for their stream;
    ``refused`` counts requests of strangers, ``passed_on`` connections that went to another
    worker, ``starts`` how often the worker was started.
    """

    state, pid, starts = _Cell(0), _Cell(1), _Cell(2)
    live, kept, refused, passed_on = _Cell(3), _Cell(4), _Cell(5), _Cell(6)

    def __init__(self, board: Board, index: int, cells: memoryview) -> None:
        self.board, self.index, self.cells = board, index, cells

    @property
    def is_first(self) -> bool:
        """Whether this is the worker that does what a node has to do once, not once a worker."""
        return self.index == 0

    def count_refused(self) -> None:
        """Take note of a request that this worker has refused."""
        self.refused += 1

    def clear(self) -> None:
        """Take note that the worker is down and holds no line any more."""
        self.state, self.pid, self.live, self.kept = State.DOWN, 0, 0, 0


class Board:
    """Slots of the workers, what they spend and count together, and where calls are."""

    def __init__(
        self, memory: bytearray | mmap.mmap, workers: int, lock: AbstractContextManager[object]
    ) -> None:
        view, at = memoryview(memory), workers * _SLOT_BYTES
        cells = view[:at].cast("q")
        self.slots = [
            Slot(self, index, cells[index * _CELLS : (index + 1) * _CELLS])
            for index in range(workers)
        ]
        self.lock = lock
        self.spent = Sums(view[at : (at := at + Sums.BYTES)])
        self.happened = Happenings(view[at : (at := at + Happenings.BYTES)])
        self.whereabouts = Whereabouts(view[at : at + Whereabouts.BYTES])

    @classmethod
    def alone(cls) -> Board:
        """Make the board of a process that has no others beside it."""
        return cls(bytearray(_bytes(1)), 1, nullcontext())

    @classmethod
    def shared(cls, workers: int) -> Board:
        """Make a board for processes that are forked from this one."""
        return cls(mmap.mmap(-1, _bytes(workers)), workers, _KernelLock())


class _KernelLock:
    """A lock between processes; not to be taken twice."""

    def __init__(self) -> None:
        import fcntl  # not on Windows, where there are no workers either

        with tempfile.TemporaryFile() as file:
            self._fcntl, self._file = fcntl, os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    def __enter__(self) -> None:
        self._fcntl.lockf(self._file, self._fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fcntl.lockf(self._file, self._fcntl.LOCK_UN)


def _bytes(workers: int) -> int:
    return workers * _SLOT_BYTES + Sums.BYTES + Happenings.BYTES + Whereabouts.BYTES

"""What a process and its children cost, as the operating system tells it (Linux's /proc)."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """Return a process and all that it started, as far as they live."""
    found, at = [pid], 0
    while at < len(found):
        found += _children(found[at])
        at += 1
    return found


def cpu_s(pid: int) -> float:
    """Return the processor time of a process tree so far, in seconds; 0 for one that is gone."""
    total = 0
    for one in tree(pid):
        fields = _read(one, "stat").rpartition(")")[2].split()
        total += sum(map(int, fields[11:13]))
    return total / _TICKS_PER_S


def waited_s(pid: int) -> float:
    """Return how long a process's main thread was ready to run and had no core, in seconds."""
    fields = _read(pid, "schedstat").split()
    return int(fields[1]) / 1e9 if len(fields) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process tree holds, in kilobytes."""

    pss_kb: int = 0
    """Pages by share: one that n processes map counts as an nth."""
    uss_kb: int = 0
    """Pages that no other process maps."""
    own_kb: int = 0
    """Pages that no file stands behind, wherever they lie: what leaks consist of."""


def memory(pid: int) -> Memory:
    """Measure a process tree; all 0 for one that is gone."""
    pss = uss = own = 0
    for one in tree(pid):
        rows = dict(line.split(":", 1) for line in _read(one, "smaps_rollup").splitlines()[1:])
        kb = {name: int(value.split()[0]) for name, value in rows.items()}
        pss += kb.get("Pss", 0)
        uss += kb.get("Private_Clean", 0) + kb.get("Private_Dirty", 0)
        own += kb.get("Anonymous", 0) + kb.get("Swap", 0)
    return Memory(pss, uss, own)


def open_files(pid: int) -> int:
    """Count the files and sockets that a process tree has open."""
    total = 0
    for one in tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            total += len(os.listdir(_PROC / str(one) / "fd"))
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(pid, f"task/{pid}/children").split()]


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""

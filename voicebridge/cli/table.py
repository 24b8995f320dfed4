"""Rows in columns, and marks that a terminal can show."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TextIO


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows of equal length so that each column begins at one place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def can_show(out: TextIO, signs: str) -> bool:
    """Tell whether ``out`` can show these signs, and let it replace any other that it cannot."""
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")
    try:
        signs.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True

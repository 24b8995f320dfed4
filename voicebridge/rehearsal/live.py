"""Show a call on a terminal while it runs, and its figures when it is over."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TextIO

from voicebridge.rehearsal.actions import Action
from voicebridge.rehearsal.notes import PhoneNote
from voicebridge.rehearsal.report import Report, number

NAME_WIDTH = 8
INDENT = 11 + NAME_WIDTH + 1

_COLOURS = {
    "caller": "36",
    "agent": "32",
    "cut": "33",
    "tool": "35",
    "error": "31",
    "warning": "31",
}
_DIM, _GOOD, _BAD = "2", "32", "31"


class Note(Protocol):
    """A happening at the phone or at the model, at monotonic seconds."""

    @property
    def at(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether to write in colour: on a terminal, and unless NO_COLOR is set."""
    return stream.isatty() and not environ.get("NO_COLOR")


class LiveTimeline:
    """One aligned line for each happening, from the notes of both sides as they come.

    The time counts from the open media stream. What the agent says is shown when the caller
    begins to hear it. Marks are counted and told once the agent is silent.
    """

    def __init__(
        self, write: Callable[[str], object], *, colour: bool = False, width: int = 96
    ) -> None:
        self._write, self._colour, self._width = write, colour, width
        self._zero: float | None = None
        self._sayings: list[str] = []
        self._agent_heard = False
        self._cut_at: float | None = None
        self._played = self._sent_back = 0

    def __call__(self, note: Note) -> None:
        """Take in a note of the phone or of the model."""
        match note.kind:
            case "connected":
                self._zero = note.at
                self._line(note.at, "line", "connected")
            case "caller":
                self._line(note.at, "caller", _quoted(note.text) or "speaks")
            case "response" if note.text:
                self._sayings.append(note.text)
                if self._agent_heard:
                    self._agent(note.at)
            case "agent":
                self._agent_heard = True
                self._agent(note.at)
            case "agent_done":
                self._agent_heard = False
                self._marks(note.at)
            case "mark":
                self._count_mark(note.at)
            case _:
                self._other(note)

    def _other(self, note: Note) -> None:
        match note.kind:
            case "cut" if isinstance(note, PhoneNote):
                self._cut_at = note.at
                self._sayings.clear()
                self._line(note.at, "cut", note.text)
            case "cut":
                self._line(note.at, "cut", f"the model is told: {note.text}")
            case "tool":
                self._line(note.at, "tool", note.text)
            case "key":
                self._line(note.at, "key", note.text)
            case "error":
                self._line(note.at, "error", note.text)
            case "carrier":
                self._line(note.at, "carrier", note.text)
            case "violation":
                self._line(note.at, "warning", note.text)
            case "verb":
                self._marks(note.at)
                self._line(note.at, "line", f"next verb: {note.text}")
            case "hang_up":
                self._marks(note.at)
                self._line(note.at, "line", f"hung up by the {note.text}")

    def _agent(self, at: float) -> None:
        for saying in self._sayings or [""]:
            self._line(at, "agent", _quoted(saying) or "speaks")
        self._sayings.clear()

    def _count_mark(self, at: float) -> None:
        if at == self._cut_at:
            self._sent_back += 1
        else:
            self._played += 1

    def _marks(self, at: float) -> None:
        counts = [(self._played, "played"), (self._sent_back, "sent back unheard")]
        text = ", ".join(f"{count} {what}" for count, what in counts if count)
        if text:
            self._line(at, "marks", text)
        self._played = self._sent_back = 0

    def _line(self, at: float, name: str, text: str) -> None:
        seconds = max(0.0, at - self._zero) if self._zero is not None else 0.0
        wrapped = textwrap.wrap(text, max(20, self._width - INDENT)) or [""]
        name_column = self._paint(f"{name:<{NAME_WIDTH}}", _COLOURS.get(name, _DIM))
        self._write(f"{seconds:7.2f} s  {name_column} {wrapped[0]}\n")
        for rest in wrapped[1:]:
            self._write(f"{'':{INDENT}}{rest}\n")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def summary(report: Report, *, colour: bool = False) -> str:
    """Set the figures in a table: a tick or a cross where there is a bar, the bar behind."""
    names = max((len(figure.name) for figure in report.figures), default=0)
    numbers = max((len(number(figure.value)) for figure in report.figures), default=0)
    units = max((len(figure.unit) for figure in report.figures), default=0)
    lines = []
    for figure in report.figures:
        sign = {True: "✓", False: "✗", None: "·"}[figure.ok]
        if colour and figure.ok is not None:
            sign = f"\x1b[{_GOOD if figure.ok else _BAD}m{sign}\x1b[0m"
        unit = "" if figure.value is None else figure.unit
        value = f"{number(figure.value):>{numbers}} {unit:<{units}}"
        bar = "" if figure.bar is None else f"   at most {number(figure.bar)} {figure.unit}"
        lines.append(f"  {sign} {figure.name:<{names}}  {value}{bar}".rstrip())
    return "\n".join(lines) + "\n"


def acted(actions: Sequence[Action]) -> str:
    """Set what the agent did in lines: when it was asked for, how long it took, what was heard."""
    lines = []
    for action in actions:
        took = "never done" if action.took_ms is None else f"done after {action.took_ms} ms"
        after = "; then " + ", ".join(action.heard_after) if action.heard_after else ""
        heard = f"heard: {action.heard_before or 'nothing yet'}{after}"
        lines.append(f"  {action.asked_ms / 1000:7.2f} s  {action.name}, {took}\n{'':13}{heard}")
    return "\n".join(lines) + "\n" if lines else ""


def _quoted(text: str) -> str:
    return f"“{' '.join(text.split())}”" if text else ""

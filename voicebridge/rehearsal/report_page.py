"""Write what a rehearsal brought as a page to read: actions, what was heard, figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicebridge.rehearsal.report import Report, number

LONGEST_CELL = 160


def report_page(title: str, report: Report) -> str:
    """Write the page as Markdown."""
    return "\n".join(
        [
            f"# {title}",
            "",
            *_missed(report),
            *_table(
                "What the agent did",
                (
                    "asked",
                    "action",
                    "arguments",
                    "done after",
                    "answer",
                    "heard before",
                    "heard then",
                ),
                _actions(report),
            ),
            *_table("What the caller heard", ("from", "to", "what"), _sounds(report)),
            *_table("Figures", ("", "figure", "value", "at most"), _figures(report)),
        ]
    )


def _missed(report: Report) -> list[str]:
    lines = [f"- {line}" for line in (*report.missed, *report.errors)]
    return ["## Not as it should be", "", *lines, ""] if lines else []


def _actions(report: Report) -> Iterable[Sequence[str]]:
    for action in report.actions:
        took = "never" if action.took_ms is None else f"{action.took_ms} ms"
        yield (
            _seconds(action.asked_ms),
            action.name,
            action.arguments,
            took,
            action.output or "",
            action.heard_before,
            ", ".join(action.heard_after),
        )


def _sounds(report: Report) -> Iterable[Sequence[str]]:
    for sound in report.sounds:
        yield _seconds(sound.start_ms), _seconds(sound.end_ms), str(sound)


def _figures(report: Report) -> Iterable[Sequence[str]]:
    for figure in report.figures:
        sign = {True: "✓", False: "✗", None: ""}[figure.ok]
        bar = "" if figure.bar is None else f"{number(figure.bar)} {figure.unit}".rstrip()
        yield sign, figure.name, figure.shown, bar


def _table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Set rows in a table below a heading; nothing if there are none."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if not lines:
        return []
    head = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return [f"## {heading}", "", *head, *lines, ""]


def _cell(text: str) -> str:
    whole = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return whole if len(whole) <= LONGEST_CELL else whole[: LONGEST_CELL - 1] + "…"


def _seconds(at_ms: int) -> str:
    return f"{at_ms / 1000:.2f} s"

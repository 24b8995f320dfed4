"""``voicebridge rehearse``: a whole call on this machine, told live, judged, left to look at."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from voicebridge import log
from voicebridge.cli.stage import Played, Rehearsal, play
from voicebridge.errors import ConfigError
from voicebridge.rehearsal.live import LiveTimeline, acted, summary, wants_colour
from voicebridge.rehearsal.report_page import report_page
from voicebridge.rehearsal.scenario import load_scenario
from voicebridge.rehearsal.timeline import make_timeline
from voicebridge.rehearsal.timeline_svg import timeline_svg
from voicebridge.rehearsal.wav import write_stereo
from voicebridge.settings import process_environment


def run_rehearsal(rehearsal: Rehearsal, out: TextIO | None = None) -> int:
    """Play a rehearsal, leave its recording, picture, record and transcript; 0 if all is well."""
    out = out or sys.stdout
    environ = process_environment()
    log.configure("warning", "console")
    colour = wants_colour(out, environ)
    width = max(60, min(shutil.get_terminal_size().columns, 120))
    print("A call on this machine: simulated carrier, real bridge, embedded model.\n", file=out)
    timeline = LiveTimeline(_flushed(out), colour=colour, width=width)
    played = asyncio.run(play(rehearsal, timeline))
    left = leave_behind(played, rehearsal.out)
    print("", acted(played.report.actions), sep="\n", end="", file=out)
    print("", summary(played.report, colour=colour), sep="\n", file=out)
    for line in played.report.missed:
        print(f"  not as expected: {line}", file=out)
    for error in played.report.errors:
        print(f"  error: {error}", file=out)
    for path, what in left:
        print(f"  {path!s:<{max(len(str(path)) for path, _ in left)}}  {what}", file=out)
    print(f"\n{_next_step(played)}", file=out)
    return 0 if played.report.ok else 1


def leave_behind(played: Played, folder: Path) -> list[tuple[Path, str]]:
    """Write what a call leaves and return each path with what it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    if played.record_folder.is_dir():
        for path in played.record_folder.iterdir():
            path.replace(folder / path.name)
        played.record_folder.rmdir()
    write_stereo(
        folder / "call.wav", bytes(played.phone.sent_audio), bytes(played.phone.heard_audio)
    )
    picture = make_timeline(played.scenario.title, played.phone, played.model, played.report)
    (folder / "timeline.svg").write_text(timeline_svg(picture), encoding="utf-8")
    (folder / "report.json").write_text(played.report.to_json() + "\n", encoding="utf-8")
    page = report_page(played.scenario.title, played.report)
    (folder / "report.md").write_text(page, encoding="utf-8")
    return [
        (folder / "timeline.svg", "the call as a picture"),
        (folder / "call.wav", "left: the caller; right: what the caller heard"),
        (folder / "transcript.md", "the words that were heard"),
        (folder / "record.json", "the bridge's own record"),
        (folder / "report.md", "what the agent did, what was heard, the figures"),
        (folder / "report.json", "the same as data"),
    ]


def list_rehearsals(config_dir: Path, out: TextIO | None = None) -> int:
    """Print each rehearsal with its title; 0 if all of them can be read."""
    files = sorted((config_dir / "rehearsals").glob("*.yaml"), key=lambda file: file.stem)
    width, status = max((len(file.stem) for file in files), default=0), 0
    for file in files:
        try:
            title = load_scenario(file).title
        except ConfigError as error:
            title, status = f"cannot be played: {error}", 1
        print(f"{file.stem:<{width}}  {title}", file=out or sys.stdout)
    if not files:
        raise ConfigError("there are no rehearsals", file=config_dir / "rehearsals")
    return status


def _next_step(played: Played) -> str:
    if not played.report.ok:
        return "Something is not as it should be: the picture and report.md show where."
    return (
        "Next: open timeline.svg, then change config/personas/front-desk.yaml and play again,\n"
        "or read `voicebridge serve --help` to put the agent on a real number."
    )


def _flushed(out: TextIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        out.write(text)
        out.flush()

    return write

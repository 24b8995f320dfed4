"""A call as a page to read: the words that were heard, and those that were not, told apart."""

from __future__ import annotations

from voicebridge.records.record import CallRecord, Spoken


def transcript(record: CallRecord) -> str:
    """Write the transcript as Markdown; the unheard tail of a cut sentence is struck through."""
    ended = str(record.ended).replace("_", " ") if record.ended else "still going on"
    lines = [
        f"# Call {record.call_id}",
        "",
        f"{record.started_at:%Y-%m-%d %H:%M:%S} · {record.persona} · "
        f"{record.duration_s:.1f} s · {ended}",
        "",
    ]
    entries = [
        (tool.at_ms, f"_{tool.name}({tool.arguments}) → {tool.output}_") for tool in record.tools
    ]
    entries += [(spoken.at_ms, _line(spoken)) for spoken in record.in_order()]
    entries.sort(key=lambda entry: entry[0])
    for at_ms, line in entries:
        lines += [f"`{_clock(at_ms)}` {line}", ""]
    if any(spoken.unheard for spoken in record.spoken):
        lines += [
            "Words ~~struck through~~ were sent but never heard: the caller spoke over them.",
            "",
        ]
    return "\n".join(lines)


def _line(spoken: Spoken) -> str:
    words = [spoken.text] if spoken.text else []
    if spoken.unheard:
        words.append(f"~~{spoken.unheard}~~")
    said = " ".join(words) or "(speech, no transcript)"
    return f"**{spoken.speaker}** {said}"


def _clock(at_ms: int) -> str:
    minutes, ms = divmod(at_ms, 60_000)
    return f"{minutes:02d}:{ms / 1000:04.1f}"

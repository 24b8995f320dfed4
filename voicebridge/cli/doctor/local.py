"""What can be looked at without the network."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

from voicebridge.cli.doctor.finding import Finding, doubtful, well, wrong
from voicebridge.settings import OPENAI_REALTIME_URL, Settings

LOW_BYTES, TOO_LOW_BYTES = 1 << 30, 100 << 20
FILES_PER_CALL, FILES_BESIDE = 4, 100
"""The carrier's socket, the model's, one for a tool, and a recording; and the process's own."""


def examined(settings: Settings) -> list[Finding]:
    """Look at the environment, the folders that are written to, and the limit of open files."""
    folders = [records(settings), *_beside(settings)]
    return [*environment(settings), *folders, file_limit(settings)]


def environment(settings: Settings) -> list[Finding]:
    """Look for the variables without which the bridge does not do what it is set up for."""
    what, missing = "environment", []
    if settings.twilio_auth_token is None:
        missing.append(
            wrong(
                what,
                "TWILIO_AUTH_TOKEN is not set: nobody could tell the carrier from a stranger",
                "set it to the auth token of the Twilio account, on its console's first page",
            )
        )
    if settings.public_url is None:
        missing.append(
            wrong(
                what,
                "VOICEBRIDGE_PUBLIC_URL is not set: signatures are checked against it",
                "set it to the https:// address by which the carrier reaches the proxy",
            )
        )
    if settings.outbound.enabled:
        missing += _for_calls_of_ours(settings)
    if settings.openai_api_key is None and settings.realtime.url == OPENAI_REALTIME_URL:
        missing.append(
            doubtful(
                what,
                "OPENAI_API_KEY is not set: the embedded model answers",
                "set it to a key of a project that may use realtime models",
            )
        )
    return missing or [well(what, "token, public URL and model are set")]


def _for_calls_of_ours(settings: Settings) -> list[Finding]:
    needed = {
        "TWILIO_ACCOUNT_SID": (settings.twilio_account_sid, "the account, AC…"),
        "VOICEBRIDGE_API_TOKEN": (
            settings.api_token,
            "a long word of your own: openssl rand -hex 24",
        ),
    }
    return [
        wrong("environment", f"{name} is not set: no calls can be placed", f"set it to {example}")
        for name, (value, example) in needed.items()
        if value is None
    ]


def records(settings: Settings) -> Finding:
    """Look for room where calls are recorded."""
    what, directory = "records", settings.records.directory
    if directory is None:
        return well(what, "none are kept")
    if (there := _shut(directory)) is not None:
        return wrong(
            what,
            f"{directory} cannot be written to",
            f"give {there} to the user that runs the bridge, or change records.directory",
        )
    free = shutil.disk_usage(_nearest(directory)).free
    note = f"{free / (1 << 30):.1f} GiB free in {directory}"
    remedy = "remove old records, or choose another records.directory"
    if free < TOO_LOW_BYTES:
        return wrong(what, note, remedy)
    return doubtful(what, note, remedy) if free < LOW_BYTES else well(what, note)


def _beside(settings: Settings) -> list[Finding]:
    """Look at what else is written to; there is nothing to say of it where that can be done."""
    opt_out = settings.outbound.opt_out_file
    written = {
        "greetings.directory": settings.greetings.directory,
        "outbound.opt_out_file": opt_out.parent if opt_out else None,
    }
    return [
        wrong(
            "folders",
            f"{directory} cannot be written to",
            f"give {there} to the user that runs the bridge, or change {key}",
        )
        for key, directory in written.items()
        if directory is not None and (there := _shut(directory)) is not None
    ]


def _nearest(directory: Path) -> Path:
    """Return the folder, or the one in which it would be made."""
    there = directory.absolute()
    while not there.exists():
        there = there.parent
    return there


def _shut(directory: Path) -> Path | None:
    """Return the folder that would have to be written to and cannot be, if so it is."""
    there = _nearest(directory)
    return None if there.is_dir() and os.access(there, os.W_OK | os.X_OK) else there


def file_limit(settings: Settings) -> Finding:
    """Compare how many files may be open with what the allowed calls need."""
    what, calls = "file limit", settings.server.max_calls
    needed = calls * FILES_PER_CALL + FILES_BESIDE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        return wrong(
            what,
            f"{soft} open files; {calls} calls need {needed}",
            f"`ulimit -n {needed}`, LimitNOFILE={needed} in the systemd unit, or a lower "
            "server.max_calls",
        )
    shown = "any number of" if soft == resource.RLIM_INFINITY else str(soft)
    return well(what, f"{shown} open files; {calls} calls need {needed}")

"""What can be looked at without the network."""

from __future__ import annotations

import os
import resource
import shutil

from voicebridge.cli.doctor.finding import Finding, doubtful, well, wrong
from voicebridge.settings import OPENAI_REALTIME_URL, Settings

LOW_BYTES, TOO_LOW_BYTES = 1 << 30, 100 << 20
FILES_PER_CALL, FILES_BESIDE = 3, 100
"""The carrier's socket, the model's, and one for a tool; and what the process itself holds."""


def environment(settings: Settings) -> Finding:
    """Look for the variables without which no call from a real number is taken."""
    what = "environment"
    if settings.twilio_auth_token is None:
        return wrong(
            what,
            "TWILIO_AUTH_TOKEN is not set: nobody could tell the carrier from a stranger",
            "set it to the auth token of the Twilio account, on its console's first page",
        )
    if settings.public_url is None:
        return wrong(
            what,
            "VOICEBRIDGE_PUBLIC_URL is not set: signatures are checked against it",
            "set it to the https:// address by which the carrier reaches the proxy",
        )
    if settings.openai_api_key is None and settings.realtime.url == OPENAI_REALTIME_URL:
        return doubtful(
            what,
            "OPENAI_API_KEY is not set: the embedded model answers",
            "set it to a key of a project that may use realtime models",
        )
    return well(what, "token, public URL and model are set")


def records(settings: Settings) -> Finding:
    """Look for room where calls are recorded."""
    what, directory = "records", settings.records.directory
    if directory is None:
        return well(what, "none are kept")
    there = directory.absolute()
    while not there.exists():
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return wrong(
            what,
            f"{directory} cannot be written to",
            f"give {there} to the user that runs the bridge, or change records.directory",
        )
    free = shutil.disk_usage(there).free
    note = f"{free / (1 << 30):.1f} GiB free in {directory}"
    remedy = "remove old records, or choose another records.directory"
    if free < TOO_LOW_BYTES:
        return wrong(what, note, remedy)
    return doubtful(what, note, remedy) if free < LOW_BYTES else well(what, note)


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

"""Run the checks side by side, and tell what they have found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import aiohttp

from voicebridge.cli.doctor import carrier, local, model, public
from voicebridge.cli.doctor.clock import clock
from voicebridge.cli.doctor.finding import Finding, Mark, skipped, well, wrong
from voicebridge.cli.doctor.site import Site, Web
from voicebridge.cli.table import aligned, can_show
from voicebridge.errors import ConfigError
from voicebridge.server.running import load_switchboard
from voicebridge.settings import load_settings

_SIGNS: dict[Mark, str] = {"well": "✓", "doubtful": "!", "wrong": "✗", "skipped": "-"}
_WORDS: dict[Mark, str] = {"well": "ok", "doubtful": "hmm", "wrong": "FAIL", "skipped": "skip"}


def run_doctor(
    config_dir: Path, out: TextIO, *, offline: bool, environ: Mapping[str, str] | None = None
) -> int:
    """Examine a configuration and print the findings; return 0, or 1 if something is wrong."""
    try:
        settings = load_settings(config_dir, environ)
        personas = load_switchboard(settings).personas
    except ConfigError as error:
        remedy = f"correct it; `voicebridge check {config_dir}` tells all that is wrong"
        findings = [wrong("configuration", str(error), remedy)]
        findings.append(skipped("all else", "needs a configuration that can be used"))
        secrets: tuple[str, ...] = ()
    else:
        site = Site(settings=settings, personas=personas, twilio_api=settings.outbound.api_url)
        count = "1 persona" if len(personas) == 1 else f"{len(personas)} personas"
        findings = [well("configuration", f"{config_dir}: {count}")]
        findings += asyncio.run(examine(site, offline=offline))
        secrets = settings.secret_values()
    for line in told([_discreet(finding, secrets) for finding in findings], out):
        print(line, file=out)
    return 1 if any(finding.mark == "wrong" for finding in findings) else 0


async def examine(site: Site, *, offline: bool) -> list[Finding]:
    """Make all checks of a site, or those that need no network."""
    findings = local.examined(site.settings)
    if offline:
        return findings
    one_each = aiohttp.TCPConnector(force_close=True)  # a bridge keeps no stranger's connection
    async with aiohttp.ClientSession(connector=one_each) as session, asyncio.TaskGroup() as checks:
        web = Web(session, site)
        hour = checks.create_task(clock(site, web))
        several = [
            checks.create_task(check)
            for check in (
                model.examined(site),
                public.examined(site, web),
                carrier.examined(site, web),
            )
        ]
    findings.append(hour.result())
    return findings + [finding for task in several for finding in task.result()]


def _discreet(finding: Finding, secrets: Iterable[str]) -> Finding:
    """Take out what others may have repeated of a secret, such as a server in its refusal."""
    note = finding.note
    for secret in secrets:
        note = note.replace(secret, "***")
    return replace(finding, note=note)


def told(findings: Iterable[Finding], out: TextIO) -> list[str]:
    """Write the findings in columns, each with its remedy below."""
    signs, arrow = (_SIGNS, "→") if can_show(out, "✓✗→") else (_WORDS, "->")
    findings = list(findings)
    notes = [each.note.splitlines() or [""] for each in findings]
    rows = [
        (signs[each.mark], each.what, note[0]) for each, note in zip(findings, notes, strict=True)
    ]
    lines: list[str] = []
    for row, note, finding in zip(aligned(rows), notes, findings, strict=True):
        lines += [row, *(f"   {more}" for more in note[1:])]
        if finding.remedy:
            lines.append(f"   {arrow} {finding.remedy}")
    wrongs = sum(finding.mark == "wrong" for finding in findings)
    verdict = f"{wrongs} to put right." if wrongs else "Nothing of this keeps calls from coming in."
    return [*lines, "", verdict]

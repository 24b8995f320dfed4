"""Whether our clock is right."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Site, Unreached, Web

WRONG_SKEW_S, DOUBTFUL_SKEW_S = 30.0, 5.0


async def clock(site: Site, web: Web) -> Finding:
    """Compare our clock with that of the carrier's server."""
    what = "clock"
    asked = site.clock()
    try:
        reply = await web.ask("HEAD", site.twilio_api)
    except Unreached as error:
        return skipped(what, error.why)
    try:
        told = parsedate_to_datetime(reply.headers["date"])
    except (KeyError, ValueError):
        return skipped(what, "the carrier's server tells no time")
    ours = asked + (site.clock() - asked) / 2
    skew_s = (ours - _aware(told)).total_seconds() - 0.5  # the header has cut off its fraction
    how = "ahead" if skew_s > 0 else "behind"
    remedy = "let the clock be set by the network: `timedatectl set-ntp true`"
    if abs(skew_s) > WRONG_SKEW_S:
        return wrong(what, f"{abs(skew_s):.0f} s {how}", remedy)
    if abs(skew_s) > DOUBTFUL_SKEW_S:
        return doubtful(what, f"{abs(skew_s):.0f} s {how}", remedy)
    return well(what, "it is right")


def _aware(told: datetime) -> datetime:
    return told if told.tzinfo else told.replace(tzinfo=UTC)

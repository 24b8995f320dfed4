"""Whether somebody may be called now: consent, the opt-out list, quiet hours, the rate.

Everything that is not known counts against the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebridge.errors import ConfigError, VoicebridgeError


class CallRefused(VoicebridgeError):
    """A call that may not be placed; ``rule`` names why in one word, for machines."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def home_zones(number: str) -> Sequence[str]:
    """Return the time zones that a number may be at home in; raises ``CallRefused`` for none."""
    try:
        import phonenumbers
        from phonenumbers import timezone
    except ImportError:
        raise ConfigError(
            "calls are placed with the help of two packages: pip install 'voicebridge[outbound]'",
            key="outbound.enabled",
        ) from None
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise CallRefused("number", "this is no telephone number") from None
    zones: Sequence[str] = [
        zone for zone in timezone.time_zones_for_number(parsed) if zone != timezone.UNKNOWN_TIMEZONE
    ]
    if not zones:
        raise CallRefused("number", "no time zone is known for this number")
    return zones


def check_hours(zones: Sequence[str], now: datetime, from_hour: int, until_hour: int) -> None:
    """Raise ``CallRefused`` unless it is a decent hour in every one of the zones."""
    for zone in zones:
        try:
            local = now.astimezone(ZoneInfo(zone))
        except ZoneInfoNotFoundError:
            raise CallRefused("number", f"the time zone {zone} is not known here") from None
        if not from_hour <= local.hour < until_hour:
            raise CallRefused(
                "quiet_hours",
                f"it is {local:%H:%M} in {zone}; calls are placed from {from_hour}:00 to "
                f"{until_hour}:00",
            )

"""What the tools that need the carrier's REST API are made of, and what they lack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Protocol

from voicebridge import __version__
from voicebridge.errors import ConfigError
from voicebridge.outbound import schedule_callback, send_sms
from voicebridge.outbound.carrier_actions import CarrierActions
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rest import TwilioRest
from voicebridge.outbound.tool import opt_out_tool
from voicebridge.personas.persona import Persona
from voicebridge.settings import Settings
from voicebridge.tools.plugins import Origin
from voicebridge.tools.registry import ToolRegistry

NEEDS_KEYS = frozenset({send_sms.NAME})
"""Tools that ask the carrier for something themselves."""

INSTALL = "install it: pip install 'voicebridge[outbound]'"


class Closable(Protocol):
    """Something that is to be closed when the tools are not used any more."""

    async def close(self) -> None: ...


class UntilTheEnd:
    """Has something closed at the end of the time in which tools are used."""

    def __init__(self, thing: Closable) -> None:
        self._thing = thing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close it when the context ends."""
        try:
            yield
        finally:
            await self._thing.close()


def carrier_for(settings: Settings) -> CarrierActions | None:
    """Make the carrier's REST API; None where there is no key, or no package, for it."""
    account_sid, auth_token = settings.twilio_account_sid, settings.twilio_auth_token
    if account_sid is None or auth_token is None or find_spec("twilio") is None:
        return None
    return TwilioRest(account_sid, auth_token.get_secret_value(), settings.outbound.api_url)


def add_outbound_tools(
    tools: ToolRegistry, settings: Settings, carrier: CarrierActions | None = None
) -> None:
    """Add the tools that call people, write to them, and leave them alone.

    One that is not set up says so when it is used, and ``faults`` before.
    """
    wanted, ours = settings.outbound, Origin("voicebridge", __version__)
    opt_out = OptOutList(wanted.opt_out_file) if wanted.opt_out_file else None
    if opt_out is not None:
        tools.add(opt_out_tool(opt_out), ours)
    sms = send_sms.send_sms_tool(carrier, wanted.sms_from, opt_out)
    tools.add(replace(sms, missing=missing_keys(settings)), ours)
    tools.add(schedule_callback.schedule_callback_tool(wanted), ours)
    if carrier is not None:
        tools.keep_running(UntilTheEnd(carrier))


def missing_keys(settings: Settings) -> tuple[str, ...]:
    """Name the variables that are not set and without which nothing is asked of the carrier."""
    keys = {
        "TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
    }
    return tuple(name for name, value in keys.items() if value is None)


def faults(persona: Persona, settings: Settings) -> Iterator[ConfigError]:
    """Say what a persona asks for that these settings cannot do, apart from keys."""
    wanted = settings.outbound
    if persona.allowed_numbers and find_spec("phonenumbers") is None:
        yield ConfigError(
            f"numbers are checked by the package phonenumbers; {INSTALL}", key="allowed_numbers"
        )
    if find_spec("twilio") is None:
        keys = [f"destinations.{name}.mode" for name in _warm(persona)]
        keys += ["tools"] if send_sms.NAME in persona.tools else []
        for key in keys:
            yield ConfigError(f"the carrier is asked by the package twilio; {INSTALL}", key=key)
    if send_sms.NAME in persona.tools and wanted.sms_from is None:
        yield ConfigError(
            f"the tool '{send_sms.NAME}' needs a sender; set outbound.sms_from", key="tools"
        )
    if schedule_callback.NAME in persona.tools:
        yield from _callback_faults(persona, settings)


def key_faults(persona: Persona, settings: Settings) -> Iterator[ConfigError]:
    """Say which destinations of a persona need keys that are not set."""
    if missing := missing_keys(settings):
        for name in _warm(persona):
            yield ConfigError(
                f"a warm transfer needs {', '.join(missing)}, which the environment does not "
                "have; set it, or make it cold",
                key=f"destinations.{name}.mode",
            )


def _callback_faults(persona: Persona, settings: Settings) -> Iterator[ConfigError]:
    tool, wanted = f"the tool '{schedule_callback.NAME}'", settings.outbound
    if not wanted.enabled:
        yield ConfigError(f"{tool} calls people; set outbound.enabled", key="tools")
    if wanted.callbacks_file is None:
        yield ConfigError(f"{tool} needs a file; set outbound.callbacks_file", key="tools")
    if persona.business is None:
        yield ConfigError(f"{tool} needs a business with its hours; add one", key="business")


def _warm(persona: Persona) -> list[str]:
    return [name for name, place in persona.destinations.items() if place.mode == "warm"]

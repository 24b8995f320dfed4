"""The settings of the front door: limits, whom it believes, calls that it places, greetings."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _e164(written: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", written):
        raise ValueError("expected a number such as +15550100002")
    return written


def _network(written: str) -> str:
    try:
        ipaddress.ip_network(written)
    except ValueError:
        raise ValueError(
            f"expected an address such as 10.0.0.7 or 10.0.0.0/8, got {written[:60]!r}"
        ) from None
    return written


def _account(written: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", written):
        raise ValueError("expected an account such as AC followed by 32 hexadecimal digits")
    return written


class Security(BaseModel):
    """Say whom the bridge believes what came before it."""

    model_config = _FROZEN

    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose X-Forwarded-For, -Proto and -Host are "
        "believed; nobody else's are.",
    )
    accounts: list[Annotated[str, AfterValidator(_account)]] = Field(
        default_factory=list,
        description="Accounts whose calls are taken besides that of TWILIO_ACCOUNT_SID, such as "
        "sub-accounts. Where that is not set, calls of every account are taken that are signed.",
    )


class Prices(BaseModel):
    """Say what a million tokens of a model cost, in dollars."""

    model_config = _FROZEN

    text_in: float = Field(ge=0, description="Text that the model reads.")
    text_cached: float = Field(ge=0, description="Text that it has read before.")
    text_out: float = Field(ge=0, description="Text that it writes.")
    audio_in: float = Field(ge=0, description="Audio that it hears.")
    audio_cached: float = Field(ge=0, description="Audio that it has heard before.")
    audio_out: float = Field(ge=0, description="Audio that it speaks.")


class Limits(BaseModel):
    """Bound what strangers and money can do, before a model is dialled and while it speaks."""

    model_config = _FROZEN

    pending_sockets: int = Field(
        default=100, ge=1, description="Sockets at once that have not said yet what they want."
    )
    pending_per_address: int = Field(
        default=10,
        ge=1,
        description="Of these, from one address; trusted proxies and this machine excepted.",
    )
    calls_per_caller_per_minute: int | None = Field(
        default=60, ge=1, description="Further calls of one number are turned away; null: no limit."
    )
    spend_per_call_usd: float | None = Field(
        default=5,
        gt=0,
        description="At 80 % the agent is told to come to an end, at 100 % it says goodbye.",
    )
    spend_per_hour_usd: float | None = Field(
        default=100, gt=0, description="What all calls of an hour may cost; null: no limit."
    )
    spend_per_day_usd: float | None = Field(
        default=500, gt=0, description="What all calls of 24 hours may cost; null: no limit."
    )
    prices: dict[str, Prices] = Field(
        default_factory=dict,
        description="Prices by model, over the built-in ones: text_in, text_cached, text_out, "
        "audio_in, audio_cached, audio_out in dollars for a million tokens.",
    )


def _sender(written: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}", written):
        raise ValueError("expected a number such as +15550100002, or a messaging service (MG…)")
    return written


def _api_url(written: str) -> str:
    """Check an address to which the account's key is sent: nobody may listen in on the way."""
    parts = urlsplit(written)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise ValueError("expected an address that starts with https://")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected an address without path, query and user name")
    return f"{parts.scheme}://{parts.netloc}"


class Outbound(BaseModel):
    """Say whether and when the bridge may call people and write to them."""

    model_config = _FROZEN

    enabled: bool = Field(default=False, description="Whether calls can be placed at all.")
    caller_id: Annotated[str, AfterValidator(_e164)] | None = Field(
        default=None, description="The number of yours that is shown, such as +15550100002."
    )
    from_hour: int = Field(
        default=9, ge=0, le=23, description="No call before this hour, where the number is at home."
    )
    until_hour: int = Field(
        default=20, ge=1, le=24, description="No call from this hour on, where it is at home."
    )
    calls_per_minute: int = Field(default=10, ge=1, description="Further ones are refused.")
    opt_out_file: Path | None = Field(
        default=None,
        description="A file of numbers that are never called, one a line; the tool opt_out adds "
        "to it. It must be named before calls can be placed.",
    )
    detect_machines: bool = Field(
        default=True, description="Whether an answering machine gets the voicemail words instead."
    )
    voicemail: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Said after the beep of an answering machine; null hangs up without a word.",
    )
    sms_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None,
        description="Who sends what the tool send_sms writes: a number of yours, or a messaging "
        "service (MG…).",
    )
    callbacks_file: Path | None = Field(
        default=None,
        description="Where the tool schedule_callback notes the calls that were promised; they "
        "are placed when they are due, also after a restart.",
    )
    callbacks_per_number: int = Field(
        default=2, ge=1, le=20, description="Callbacks at once that one number may have promised."
    )
    api_url: Annotated[str, AfterValidator(_api_url)] = Field(
        default="https://api.twilio.com",
        description="The carrier's REST API, such as https://api.dublin.ie1.twilio.com.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Outbound:
        if self.from_hour >= self.until_hour:
            raise ValueError("expected from_hour before until_hour")
        if self.enabled and (self.caller_id is None or self.opt_out_file is None):
            raise ValueError("to enable it, name caller_id and opt_out_file as well")
        return self


class Greetings(BaseModel):
    """Say where greetings are kept that are said at once."""

    model_config = _FROZEN

    directory: Path | None = Field(
        default=None,
        description="A folder that outlives a restart; null keeps them in memory alone.",
    )

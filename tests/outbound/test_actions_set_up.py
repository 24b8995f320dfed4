"""What a persona may ask of the carrier, and what is said at load where that cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from voicebridge.errors import ConfigError
from voicebridge.outbound import set_up
from voicebridge.outbound.rest import ANSWER_WITHIN_S, TwilioRest
from voicebridge.outbound.set_up import (
    add_outbound_tools,
    carrier_for,
    faults,
    key_faults,
    missing_keys,
)
from voicebridge.personas.destinations import Destination
from voicebridge.personas.persona import Persona
from voicebridge.server.colleagues import LISTEN_WITHIN_S
from voicebridge.settings import Outbound, Settings
from voicebridge.tools.registry import ToolRegistry

NUMBER = "+15550100020"
KEYS: dict[str, Any] = {
    "twilio_account_sid": "AC" + "0" * 32,
    "twilio_auth_token": SecretStr("token"),
}


def persona(**told: object) -> Persona:
    return Persona.model_validate({"name": "Desk", "instructions": "Answer.", **told})


def settings(folder: Path, **outbound: object) -> Settings:
    return Settings(config_dir=folder, outbound=Outbound.model_validate(outbound), **KEYS)


def told(persona_: Persona, settings_: Settings) -> list[tuple[str | None, str]]:
    return [(fault.key, fault.message) for fault in faults(persona_, settings_)]


# --- what a persona may say ---------------------------------------------------------------------


def test_a_destination_is_a_number_or_says_more() -> None:
    written = persona(
        destinations={
            "desk": "+1 555 010-0020",
            "dentist": {"number": NUMBER, "mode": "warm", "language": "de-DE", "ask": "Eins?"},
        }
    )
    assert written.destinations["desk"] == Destination(number=NUMBER)
    assert written.destinations["desk"].mode == "cold"
    assert written.destinations["dentist"].ask == "Eins?"


@pytest.mark.parametrize(
    "wrong",
    [
        {"destinations": {"desk": "911"}},
        {"destinations": {"desk": "+4930\u0661\u0662\u0663\u0664\u0665\u0666"}},
        {"destinations": {"desk": {"mode": "warm"}}},
        {"destinations": {"desk": {"number": NUMBER, "mode": "hot"}}},
        {"destinations": {"desk": {"number": NUMBER, "ring_s": 300}}},
        {"destinations": {"desk": {"number": NUMBER, "language": "german"}}},
        {"destinations": {"desk": {"number": NUMBER, "surprise": 1}}},
        {"recipients": {"desk": "12"}},
        {"allowed_numbers": ["+1"]},
        {"allowed_numbers": ["+"]},
        {"allowed_numbers": ["de"]},
        {"allowed_numbers": ["Germany"]},
        {"allowed_numbers": ["+49*"]},
        {"allowed_numbers": ["*"]},
        {"allowed_numbers": [""]},
    ],
    ids=str,
)
def test_a_persona_that_could_reach_anybody_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        persona(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sms_from": "Practice"},
        {"sms_from": "MG1"},
        {"api_url": "http://api.twilio.com"},
        {"api_url": "http://127.0.0.1.example.com"},
        {"api_url": "https://user@api.twilio.com"},
        {"api_url": "https://api.twilio.com/2010"},
        {"api_url": "ftp://127.0.0.1"},
        {"api_url": ""},
        {"callbacks_per_number": 0},
    ],
    ids=str,
)
def test_settings_that_would_send_keys_or_words_elsewhere_are_refused(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        Outbound.model_validate(wrong)


@pytest.mark.parametrize(
    "url", ["https://api.dublin.ie1.twilio.com", "http://127.0.0.1:8081", "http://localhost:1"]
)
def test_another_region_and_this_machine_may_be_asked(url: str) -> None:
    assert Outbound(api_url=url + "/").api_url == url
    assert Outbound(sms_from="MG" + "a" * 32).sms_from


# --- what is said where it cannot be had --------------------------------------------------------


def test_a_persona_that_asks_for_nothing_needs_nothing(tmp_path: Path) -> None:
    plain = persona(destinations={"desk": NUMBER}, tools=["transfer"])
    assert told(plain, Settings(config_dir=tmp_path)) == []
    assert list(key_faults(plain, Settings(config_dir=tmp_path))) == []


def test_each_tool_says_what_it_lacks(tmp_path: Path) -> None:
    asks = persona(tools=["send_sms", "schedule_callback"])
    assert told(asks, settings(tmp_path)) == [
        ("tools", "the tool 'send_sms' needs a sender; set outbound.sms_from"),
        ("tools", "the tool 'schedule_callback' calls people; set outbound.enabled"),
        ("tools", "the tool 'schedule_callback' needs a file; set outbound.callbacks_file"),
        ("business", "the tool 'schedule_callback' needs a business with its hours; add one"),
    ]
    complete = persona(tools=asks.tools, business={"name": "Desk"})
    wanted = {
        "enabled": True,
        "caller_id": NUMBER,
        "opt_out_file": tmp_path / "o",
        "sms_from": NUMBER,
        "callbacks_file": tmp_path / "c",
    }
    assert told(complete, settings(tmp_path, **wanted)) == []


def test_a_warm_transfer_needs_keys(tmp_path: Path) -> None:
    warm = persona(destinations={"dentist": {"number": NUMBER, "mode": "warm"}})
    (fault,) = key_faults(warm, Settings(config_dir=tmp_path))
    assert fault.key == "destinations.dentist.mode"
    assert "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN" in fault.message
    assert list(key_faults(warm, settings(tmp_path))) == []


@pytest.mark.parametrize(
    ("gone", "asks", "keys"),
    [
        ("twilio", {"destinations": {"d": {"number": NUMBER, "mode": "warm"}}},
         ["destinations.d.mode"]),
        ("twilio", {"tools": ["send_sms"]}, ["tools"]),
        ("phonenumbers", {"allowed_numbers": ["DE"]}, ["allowed_numbers"]),
        ("phonenumbers", {"destinations": {"d": NUMBER}}, []),
    ],
)  # fmt: skip
def test_without_its_package_it_is_refused_with_the_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gone: str,
    asks: dict[str, object],
    keys: list[str],
) -> None:
    monkeypatch.setattr(set_up, "find_spec", lambda name: None if name == gone else object())
    found = told(persona(**asks), settings(tmp_path, sms_from=NUMBER))
    assert [key for key, _ in found] == keys
    assert all("pip install 'voicebridge[outbound]'" in message for _, message in found)


def test_without_keys_or_package_there_is_no_carrier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(carrier_for(settings(tmp_path)), TwilioRest)
    assert carrier_for(Settings(config_dir=tmp_path)) is None
    assert missing_keys(Settings(config_dir=tmp_path)) == (
        "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN",
    )  # fmt: skip
    monkeypatch.setattr(set_up, "find_spec", lambda name: None)
    assert carrier_for(settings(tmp_path)) is None


async def test_the_tools_close_the_carrier_when_they_are_not_used_any_more(tmp_path: Path) -> None:
    closed: list[bool] = []

    class Carrier(TwilioRest):
        async def close(self) -> None:
            closed.append(True)

    tools = ToolRegistry.with_builtins()
    add_outbound_tools(tools, settings(tmp_path), Carrier("AC1", "token"))
    async with tools.running():
        assert closed == []
    assert closed == [True]
    assert {"send_sms", "schedule_callback"} <= set(tools.names())


def test_a_tool_without_its_keys_names_them(tmp_path: Path) -> None:
    tools = ToolRegistry.with_builtins()
    add_outbound_tools(tools, Settings(config_dir=tmp_path))
    missing = tools.missing(["send_sms", "schedule_callback"])
    assert missing == {"send_sms": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")}
    with pytest.raises(ConfigError, match="opt_out"):
        tools.for_persona(["opt_out"])


def test_the_tool_waits_as_long_as_any_colleague_may_take() -> None:
    transfer = ToolRegistry.with_builtins().get("transfer")
    assert transfer is not None
    assert transfer.options.timeout_s is not None
    longest_ring_s = next(
        bound.le for bound in Destination.model_fields["ring_s"].metadata if hasattr(bound, "le")
    )
    assert transfer.options.timeout_s >= ANSWER_WITHIN_S + longest_ring_s + LISTEN_WITHIN_S

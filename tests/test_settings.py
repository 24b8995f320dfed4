"""Settings come from one file and the environment; secrets from the environment alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_lines import load_model
from voicebridge.settings import Settings, SettingsFile, load_settings

SHIPPED = Path(__file__).parents[1] / "config"
KEY, TOKEN = "sk-proj-0123456789abcdef", "0123456789abcdef0123456789abcdef"


@pytest.fixture
def load(tmp_path: Path):
    def settings(text: str = "{}", **environ: str) -> Settings:
        (tmp_path / "voicebridge.yaml").write_text(text)
        return load_settings(tmp_path, environ)

    return settings


def keys_of(model: BaseModel) -> dict[str, Any]:
    return {
        name: keys_of(value) if isinstance(value := getattr(model, name), BaseModel) else value
        for name in type(model).model_fields
    }


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    shown = yaml.safe_load((SHIPPED / "voicebridge.yaml").read_text())
    assert shown == keys_of(SettingsFile())
    assert load_model(SHIPPED / "voicebridge.yaml", SettingsFile) == SettingsFile()


def test_the_shipped_file_comments_every_key() -> None:
    lines = (SHIPPED / "voicebridge.yaml").read_text().splitlines()
    keys = [n for n, line in enumerate(lines) if re.match(r"\s*\w+:", line)]
    assert len(keys) > 15
    bare = [lines[n] for n in keys if "#" not in lines[n] and not lines[n - 1].startswith("#")]
    assert bare == []


def test_an_empty_mapping_is_all_defaults(load) -> None:
    settings = load()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert (settings.server.max_message_bytes, settings.server.start_timeout_s) == (65536, 5)
    assert (settings.server.max_calls, settings.realtime.connect_timeout_s) == (100, 10)
    assert settings.realtime.url == "wss://api.openai.com/v1/realtime"
    assert (settings.realtime.dialect, settings.realtime.model) == ("ga", None)
    assert (settings.records.directory, settings.public_url) == (None, None)
    assert settings.openai_api_key is None
    assert settings.secret_values() == ()


def test_the_environment_lies_over_the_file(load) -> None:
    settings = load(
        "realtime: {url: wss://a.example/v1, dialect: beta}\npublic_url: https://a.example\n",
        VOICEBRIDGE_REALTIME_URL="ws://127.0.0.1:9000/v1/realtime",
        VOICEBRIDGE_PUBLIC_URL="https://bridge.example.com/",
        OPENAI_API_KEY=f" {KEY}\n",
        TWILIO_ACCOUNT_SID="AC1",
        TWILIO_AUTH_TOKEN=TOKEN,
    )
    assert settings.realtime.url == "ws://127.0.0.1:9000/v1/realtime"
    assert settings.realtime.dialect == "beta"
    assert settings.public_url == "https://bridge.example.com"
    assert settings.openai_api_key.get_secret_value() == KEY
    assert settings.twilio_account_sid == "AC1"
    assert settings.secret_values() == (KEY, TOKEN)


def test_the_transport_comes_from_the_file_or_the_environment_over_it(load) -> None:
    variable = "VOICEBRIDGE_REALTIME_TRANSPORT"
    assert load().realtime.transport == "auto"
    assert load("realtime: {transport: aiohttp}").realtime.transport == "aiohttp"
    settings = load("realtime: {transport: aiohttp}", **{variable: "picows"})
    assert settings.realtime.transport == "picows"
    with pytest.raises(ConfigError, match="auto, websockets, aiohttp, picows") as caught:
        load(**{variable: "carrier-pigeon"})
    assert caught.value.key == variable


def test_a_blank_variable_counts_as_not_set(load) -> None:
    settings = load("realtime: {url: ws://a.example}", OPENAI_API_KEY="  ", TWILIO_AUTH_TOKEN="",
                    VOICEBRIDGE_REALTIME_URL="")  # fmt: skip
    assert settings.openai_api_key is None
    assert settings.twilio_auth_token is None
    assert settings.realtime.url == "ws://a.example"


def test_without_a_mapping_the_process_environment_is_read(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "voicebridge.yaml").write_text("{}")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert load_settings(tmp_path).secret_values()[0] == KEY


def test_no_repr_shows_a_secret(load) -> None:
    settings = load(OPENAI_API_KEY=KEY, TWILIO_AUTH_TOKEN=TOKEN)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{settings}"):
        assert KEY not in shown
        assert TOKEN not in shown


def test_settings_cannot_be_changed(load) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().server.port = 1


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("openai_api_key: sk-planted", "OPENAI_API_KEY"),
        ("OPENAI_API_KEY: sk-planted", "OPENAI_API_KEY"),
        ("realtime: {api_key: sk-planted}", "OPENAI_API_KEY"),
        ("openai: {key: sk-planted}", "OPENAI_API_KEY"),
        ("twilio_auth_token: sk-planted", "TWILIO_AUTH_TOKEN"),
        ("server: {auth_token: sk-planted}", "TWILIO_AUTH_TOKEN"),
        ("twilio: {token: sk-planted}", "TWILIO_AUTH_TOKEN"),
        ("twilio_account_sid: sk-planted", "TWILIO_ACCOUNT_SID"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_advice_and_not_repeated(load, line, variable) -> None:
    with pytest.raises(ConfigError) as caught:
        load(line)
    assert "only from the environment" in str(caught.value)
    assert str(caught.value).count(f"set {variable}") == 1
    assert "sk-planted" not in str(caught.value)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("realtime: {url: https://api.openai.com/v1/realtime}", "realtime.url", "wss:// or ws://"),
        ("realtime: {url: wss://}", "realtime.url", "wss:// or ws://"),
        ("realtime: {url: 'wss://a.example:x/'}", "realtime.url", "wss:// or ws://"),
        ("realtime: {url: 'wss://[::1/'}", "realtime.url", "wss:// or ws://"),
        ("realtime: {url: 'ws://u:p@a.example'}", "realtime.url", "without user name"),
        ("realtime: {dialect: bta}", "realtime.dialect", "did you mean 'beta'?"),
        ("public_url: ws://a.example", "public_url", "https:// or http://"),
        ("public_url: https://a.example/twilio", "public_url", "without a path"),
        ("public_url: https://a.example?x=1", "public_url", "without a path"),
        ("server: {prot: 1}", "server.prot", "did you mean 'port'?"),
        ("server: {port: 65536}", "server.port", "at most 65535, got 65536"),
        ("server: {max_calls: 0}", "server.max_calls", "at least 1"),
        ("log: {format: jsn}", "log.format", "did you mean 'json'?"),
        ("log: {level: 5}", "log.level", "'debug', 'info', 'warning' or 'error', got 5"),
        ("server:", "server", "expected a mapping"),
        ("default_persna: x", "default_persna", "did you mean 'default_persona'?"),
    ],
)
def test_a_wrong_setting_names_its_key_and_remedy(load, line, key, words) -> None:
    with pytest.raises(ConfigError) as caught:
        load(line)
    assert (caught.value.key, caught.value.line) == (key, 1)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("VOICEBRIDGE_REALTIME_URL", "api.openai.com", "wss:// or ws://"),
        ("VOICEBRIDGE_PUBLIC_URL", "https://a.example/x", "without a path"),
        ("OPENAI_API_KEY", "sk-planted export FOO", "without blanks"),
        ("TWILIO_AUTH_TOKEN", "sk-planted\u2019", "without blanks"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(load, variable, value, words) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{variable: value})
    assert (caught.value.key, caught.value.file) == (variable, None)
    assert words in str(caught.value)
    assert "sk-planted" not in str(caught.value)


def test_without_its_file_the_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(tmp_path, {})


def test_a_folder_for_records_is_a_path(load) -> None:
    assert load("records: {directory: calls}").records.directory == Path("calls")

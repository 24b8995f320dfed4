"""What commands, errors and reprs say gives no secret away, not even one that is badly placed."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from planted import NUMBERS, SECRETS, hits

from voicebridge.cli.main import main
from voicebridge.errors import ConfigError
from voicebridge.server.expected import Expected
from voicebridge.server.running import load_switchboard
from voicebridge.server.security import RequestGuard, StreamTokens
from voicebridge.settings import load_settings

SHIPPED = Path(__file__).parents[2] / "config"
SECRET = SECRETS["CRM_TOKEN"]
OTHER = SECRETS["CALENDAR_TOKEN"]

HTTP_TOOL = f"""\
description: Ask.
url: %s
headers: {{Authorization: "%s"}}
arguments: {{who: {{description: Who.}}}}
query: {{who: "{{who}}"}}
"""  # noqa: F541 - the braces are YAML's
PERSONA = """\
name: Shop
instructions: Be brief.
mcp_servers:
  - label: catalogue
    url: %s
    tools: [search]
    authorization: "%s"
"""
WELL = {
    "tools/crm.yaml": HTTP_TOOL % ("https://crm.example/x", "Bearer ${env:CRM_TOKEN}"),
    "personas/shop.yaml": PERSONA % ("https://mcp.example/x", "${env:CATALOGUE_TOKEN}"),
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in which secrets are used as they should be, and the environment for it."""
    config = tmp_path / "config"
    shutil.copytree(SHIPPED, config)
    for name, text in WELL.items():
        write(config, name, text)
    for name, value in SECRETS.items():
        if name.isupper():
            monkeypatch.setenv(name, value)
    access = SECRETS["REALTIME_ACCESS"]
    monkeypatch.setenv("VOICEBRIDGE_REALTIME_URL", f"ws://127.0.0.1:1/v1/realtime?access={access}")
    return config


def write(config: Path, name: str, text: str) -> None:
    file = config / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def is_clean(said: str) -> bool:
    assert said
    assert hits(said, SECRETS, secret=True) == []
    return True


COMMANDS = (
    "check",
    "doctor --offline",
    "doctor",
    "personas list",
    "route --to +15550100003",
    "tools",
    "tools show crm",
    "tools run crm {}",
)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_tells_no_secret_that_it_works_with(
    config: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    first, *rest = words.split()
    try:
        main([first, *rest, "--config", str(config)])
    except SystemExit:  # arguments that this command does not take
        main([first, *rest, str(config)])
    captured = capsys.readouterr()
    assert is_clean(captured.out + captured.err)


MISPLACED = {
    "a key in the settings": ("voicebridge.yaml", f"openai_api_key: {SECRET}"),
    "a token in the settings": ("voicebridge.yaml", f"server: {{auth_token: '{SECRET}'}}"),
    "a value of another kind": ("voicebridge.yaml", f"limits: {{pending_sockets: '{SECRET}'}}"),
    "a password in the public URL": (
        "voicebridge.yaml",
        f"public_url: 'https://me:{OTHER}@bridge.example.com'",
    ),
    "a password in the realtime URL": (
        "voicebridge.yaml",
        f"realtime: {{url: 'wss://me:{OTHER}@realtime.example'}}",
    ),
    "a secret for a network": (
        "voicebridge.yaml",
        f"security: {{trusted_proxies: ['{SECRET}']}}",
    ),
    "a secret for an account": ("voicebridge.yaml", f"security: {{accounts: ['{SECRET}']}}"),
    "YAML that breaks at a secret": ("voicebridge.yaml", f"server: {{host: '{SECRET}"),
    "a key in a persona": ("personas/shop.yaml", f"name: Shop\napi_key: '{SECRET}'"),
    "a plain authorization": (
        "personas/shop.yaml",
        PERSONA % ("https://mcp.example/x", f"Bearer {OTHER}\\n"),
    ),
    "a password in the URL of a server": (
        "personas/shop.yaml",
        PERSONA % (f"https://me:{OTHER}@mcp.example/x", "${env:CATALOGUE_TOKEN}"),
    ),
    "a header of two lines": (
        "tools/crm.yaml",
        HTTP_TOOL % ("https://crm.example/x", f"{OTHER}\\n{OTHER}"),
    ),
    "a password in the URL of a tool": (
        "tools/crm.yaml",
        HTTP_TOOL % (f"https://me:{OTHER}@crm.example/x", "x"),
    ),
    "a secret in the query of a tool": (
        "tools/crm.yaml",
        HTTP_TOOL % (f"https://crm.example/x?key={OTHER}", "x"),
    ),
    "a reference that is none": (
        "tools/crm.yaml",
        HTTP_TOOL % ("https://crm.example/x", f"${{env:{OTHER} x}}"),
    ),
}
"""Where people put secrets that do not belong there: the file, and what it says."""


@pytest.mark.parametrize("name", MISPLACED)
def test_a_misplaced_secret_is_not_repeated_by_the_error(
    config: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file, text = MISPLACED[name]
    write(config, file, text + "\n")
    for command in (["check", str(config)], ["serve", "--config", str(config), "--port", "0"]):
        assert main(command) != 0
        captured = capsys.readouterr()
        assert is_clean(captured.out + captured.err)


BAD_VARIABLES = {
    "OPENAI_API_KEY": f"{SECRET} {OTHER}",
    "TWILIO_AUTH_TOKEN": f"{SECRET}\n{OTHER}",
    "CRM_TOKEN": f"ü{SECRET}",
    "VOICEBRIDGE_PUBLIC_URL": f"https://me:{OTHER}@bridge.example.com",
    "VOICEBRIDGE_REALTIME_URL": f"https://realtime.example/?key={OTHER}",
}


@pytest.mark.parametrize("name", BAD_VARIABLES)
def test_a_variable_that_cannot_be_used_is_not_repeated(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv(name, BAD_VARIABLES[name])
    with pytest.raises(ConfigError) as refused:
        load_settings(config)
    assert main(["check", str(config)]) != 0
    captured = capsys.readouterr()
    assert is_clean(captured.out + captured.err + str(refused.value) + repr(refused.value))


def test_no_repr_shows_a_secret(config: Path) -> None:
    settings = load_settings(config)
    switchboard = load_switchboard(settings)
    tokens = StreamTokens()
    minted = tokens.mint(Expected("CA1", "shop", NUMBERS[0], ""))
    guard = RequestGuard(settings.secret_values(), None)
    shown = " ".join(
        f"{one!r} {one!s}"
        for one in (settings, settings.realtime, switchboard, tokens, guard, switchboard.tools)
    )
    assert is_clean(shown)
    assert minted not in shown
    assert settings.model_dump_json().count("**********") >= 5


KEY, NUMBER = SECRETS["OPENAI_API_KEY"], NUMBERS[0]


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        f"…{KEY[-10:]}",
        f"{KEY[:12]}…",
        KEY.lower(),
        KEY.encode().hex(),
        base64.b64encode(f"AC1:{KEY}".encode()).decode(),
        SECRET.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    ],
)
def test_the_search_finds_a_secret_in_every_form(said: str) -> None:
    assert hits(f"before {said} after", SECRETS, secret=True)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (NUMBER, True),
        (NUMBER[1:], True),
        (f"{NUMBER[:5]} {NUMBER[5:8]}-{NUMBER[8:]}", True),
        (f"•••{NUMBER[-6:]}", True),
        (f"{NUMBER[:5]}•••••{NUMBER[-2:]}", False),
        ("2026-11-22T16:31:18.038028Z", False),
    ],
)
def test_the_search_finds_a_number_in_every_form_but_masked(said: str, found: bool) -> None:
    assert bool(hits(f"before {said} after", {NUMBER: NUMBER}, secret=False)) == found

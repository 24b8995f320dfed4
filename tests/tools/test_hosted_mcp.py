"""A persona's MCP servers are passed through to the realtime server, with secrets by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from voicebridge.bridge.session import approvals_of, session_for
from voicebridge.errors import ConfigError
from voicebridge.personas.hosted_mcp import HostedMcpServer
from voicebridge.personas.persona import Persona
from voicebridge.server.running import load_switchboard
from voicebridge.settings import load_settings

SERVER: dict[str, Any] = {
    "label": "shop",
    "url": "https://shop.example.com/mcp",
    "tools": ("search", "order"),
    "description": "Knows the stock.",
    "authorization": "${env:SHOP_TOKEN}",
}
PERSONA = """
name: Desk
instructions: Be brief.
mcp_servers:
  - {label: shop, url: "https://shop.example.com/mcp", tools: [search],
     authorization: "${env:SHOP_TOKEN}"}
"""


def persona(**server: Any) -> Persona:
    hosted = HostedMcpServer(**{**SERVER, **server})
    return Persona(name="Desk", instructions="Be brief.", mcp_servers=(hosted,))


def test_the_session_names_the_server_its_tools_and_the_secret() -> None:
    secrets = {"SHOP_TOKEN": SecretStr("t0ken")}
    session = session_for(persona(), (), server_answers=True, secrets=secrets)
    assert session.model_dump(exclude_unset=True)["tools"] == [
        {
            "type": "mcp",
            "server_label": "shop",
            "server_url": "https://shop.example.com/mcp",
            "server_description": "Knows the stock.",
            "allowed_tools": ["search", "order"],
            "require_approval": "never",
            "authorization": "t0ken",
        }
    ]


@pytest.mark.parametrize("approval", ["always", "ask", "never"])
def test_a_server_whose_calls_need_approval_is_told_to_ask(approval: str) -> None:
    asking = persona(approval=approval)
    asked = session_for(asking, (), server_answers=True, secrets={"SHOP_TOKEN": SecretStr("t")})
    (tool,) = asked.model_dump(exclude_unset=True)["tools"]
    assert tool["require_approval"] == "always"
    assert approvals_of(asking) == {"shop": approval}
    assert approvals_of(persona()) == {}


def test_a_server_without_secret_and_description_names_neither() -> None:
    asked = session_for(persona(authorization=None, description=None), (), server_answers=True)
    (tool,) = asked.model_dump(exclude_unset=True)["tools"]
    assert "authorization" not in tool
    assert "server_description" not in tool


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://shop.example.com/mcp"},
        {"tools": ()},
        {"tools": ("",)},
        {"label": "the shop"},
        {"authorization": "${SHOP_TOKEN}"},
        {"require_approval": "always"},
        {"approval": "sometimes"},
    ],
)
def test_a_server_that_cannot_be_used_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HostedMcpServer(**{**SERVER, **wrong})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "desk.yaml").write_text(PERSONA)
    (tmp_path / "voicebridge.yaml").write_text("default_persona: desk\n")
    return tmp_path


def test_the_secret_comes_from_the_environment_and_is_kept_out_of_the_log(config: Path) -> None:
    settings = load_settings(config, {"SHOP_TOKEN": "t0ken", "OTHER": "not-referred-to"})
    assert settings.secret_values() == ("t0ken",)
    assert "t0ken" not in repr(settings)
    load_switchboard(settings)


@pytest.mark.parametrize(
    ("environ", "text", "words"),
    [
        ({}, "", "desk.yaml: mcp_servers: the server 'shop' needs SHOP_TOKEN, which the "
         "environment does not have"),
        ({"SHOP_TOKEN": "t"}, "realtime: {dialect: beta}\n", "the beta dialect knows no MCP"),
    ],
)  # fmt: skip
def test_what_would_fail_in_a_call_fails_before_the_first(config, environ, text, words) -> None:
    file = config / "voicebridge.yaml"
    file.write_text(file.read_text() + text)
    with pytest.raises(ConfigError) as caught:
        load_switchboard(load_settings(config, environ))
    assert words in str(caught.value)


def test_a_tool_whose_secret_is_not_set_is_told_before_the_first_call(config: Path) -> None:
    (config / "tools").mkdir()
    (config / "tools" / "stock.yaml").write_text(
        "description: Look.\nurl: https://a.example/\nheaders: {X-Key: '${env:STOCK_KEY}'}\n"
    )
    (config / "personas" / "desk.yaml").write_text(
        "name: Desk\ninstructions: Be brief.\ntools: [stock]\n"
    )
    with pytest.raises(ConfigError, match="the tool 'stock' needs STOCK_KEY"):
        load_switchboard(load_settings(config, {}))
    load_switchboard(load_settings(config, {"STOCK_KEY": "k"}))


def test_a_commented_reference_needs_nothing(config: Path) -> None:
    (config / "tools").mkdir()
    (config / "tools" / "x.yaml").write_text("# ${env:COMMENTED}\n")
    assert set(load_settings(config, {"COMMENTED": "c" * 8, "SHOP_TOKEN": "t"}).tool_secrets) == {
        "SHOP_TOKEN"
    }

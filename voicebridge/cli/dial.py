"""``voicebridge dial``: asks a running bridge to call somebody."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from voicebridge.errors import CarrierError, ConfigError

CALLS_PATH = "/calls"

ANSWER_WITHIN_S = 20.0


def add_dial(commands: Any) -> None:
    """Add the command to those of ``voicebridge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dial", help="have a bridge call a number"
    )
    parser.description = (
        "Asks the running bridge to call a number. The bridge refuses without consent, in quiet "
        "hours, for numbers that have opted out, and where calls are not enabled."
    )
    parser.add_argument("--to", required=True, metavar="NUMBER", help="such as +15550100001")
    parser.add_argument("--persona", required=True, help="who speaks")
    parser.add_argument(
        "--consent", action="store_true", help="this person has agreed to be called"
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a custom parameter"
    )
    parser.add_argument("--bridge", metavar="URL", help="the bridge (default: where it listens)")
    parser.add_argument("--config", type=Path, default=Path("config"), metavar="DIR")
    parser.set_defaults(run=_dial)


def _dial(options: argparse.Namespace) -> int:
    from voicebridge.settings import load_settings

    settings = load_settings(options.config)
    if settings.api_token is None:
        raise ConfigError("the bridge opens to nobody without it", key="VOICEBRIDGE_API_TOKEN")
    params = dict(part.split("=", 1) for part in options.param if "=" in part)
    if len(params) != len(options.param):
        raise ConfigError("expected NAME=VALUE, each name once", key="--param")
    body = {"to": options.to, "persona": options.persona, "consent": options.consent}
    bridge = options.bridge or f"http://{settings.server.host}:{settings.server.port}"
    url = bridge.rstrip("/") + CALLS_PATH
    token = settings.api_token.get_secret_value()
    status, answer = asyncio.run(ask(url, token, {**body, "params": params}))
    if status != 201:
        print(
            f"not called: {answer.get('message', f'the bridge answered {status}')}", file=sys.stderr
        )
        return 1
    print(answer["call_id"])
    return 0


async def ask(url: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask a bridge to place a call; raises ``CarrierError`` if it cannot be reached."""
    import aiohttp

    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            asyncio.timeout(ANSWER_WITHIN_S),
            aiohttp.ClientSession() as http,
            http.post(url, json=body, headers=headers) as response,
        ):
            text = await response.text()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise CarrierError(f"no bridge at {url}: {type(error).__name__}; does it run?") from None
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    return response.status, answer if isinstance(answer, dict) else {}

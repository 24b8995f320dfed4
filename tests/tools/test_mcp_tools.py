"""Tools of a real MCP server are offered by allow-list, over both transports, and come back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from http_service import CONTEXT
from pydantic import SecretStr

from voicebridge.errors import ConfigError, ToolArgumentsInvalid, ToolFailed
from voicebridge.personas.yaml_lines import load_model
from voicebridge.tools import mcp
from voicebridge.tools.loading import load_tools
from voicebridge.tools.mcp import McpServer
from voicebridge.tools.mcp_file import McpServerFile
from voicebridge.tools.registry import ToolRegistry
from voicebridge.tools.tool import ToolOptions

pytestmark = pytest.mark.slow  # each starts servers of its own

SHOP = Path(__file__).with_name("mcp_shop.py")
WITHIN_S = 30.0
TOOLS = (
    "tools: {order_status: {confirm: true}, find.seats: , fail: , large: , token: , break_down: }"
)


def server_of(folder: Path, text: str, secrets: dict[str, str] | None = None) -> McpServer:
    file = folder / "shop.yaml"
    file.write_text(text)
    kept = {name: SecretStr(value) for name, value in (secrets or {}).items()}
    return McpServer("shop", load_model(file, McpServerFile), kept)


def pids(folder: Path) -> list[int]:
    """Return the process ids of all servers that were started."""
    return [int(file.stem) for file in folder.glob("*.pid")]


def over_stdio(folder: Path) -> str:
    command = json.dumps([sys.executable, str(SHOP), "stdio", str(folder)])
    return f'command: {command}\nenv: {{SHOP_TOKEN: "t-${{env:SHOP_TOKEN}}"}}\n{TOOLS}\n'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HttpShop:
    """The shop over HTTP, which a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(SHOP), "http", str(self.folder), str(self.port),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while b"Uvicorn running" not in await self.process.stderr.readline():
                pass

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    @property
    def file(self) -> str:
        return f"url: http://127.0.0.1:{self.port}/mcp\nallow_http: true\n{TOOLS}\n"


@pytest.fixture
async def http_shop(tmp_path: Path) -> AsyncIterator[HttpShop]:
    shop = HttpShop(tmp_path)
    yield shop
    await shop.stop()


@pytest.fixture(params=["stdio", "http"])
async def shop(request, tmp_path: Path, http_shop: HttpShop) -> AsyncIterator[McpServer]:
    """A connected server, over each transport."""
    text = over_stdio(tmp_path)
    if request.param == "http":
        await http_shop.start()
        text = http_shop.file
    server = server_of(tmp_path, text, {"SHOP_TOKEN": "s3cr3t"})
    async with server.running():
        assert await server.until_connected()
        yield server


async def invoke(server: McpServer, name: str, arguments: str = "{}") -> Any:
    tool = server.tool(f"shop_{name}")
    assert tool is not None
    return json.loads(await asyncio.wait_for(tool.invoke(arguments, CONTEXT), WITHIN_S))


async def test_a_servers_tools_are_offered_as_ones_own(shop: McpServer) -> None:
    tool = shop.tool("shop_order_status")
    assert tool is not None
    assert tool.description == "Tell how far an order has come."
    assert tool.parameters["properties"]["order_id"]["description"] == "Such as A-1."
    assert tool.options == ToolOptions(confirm=True)
    told = await invoke(shop, "order_status", '{"order_id": "A-1"}')
    assert told == {"order": "A-1", "status": "on its way"}
    assert shop.version == "4.2"


async def test_what_the_list_does_not_name_is_not_offered(shop: McpServer) -> None:
    assert "shop_not_offered" not in shop.names
    assert shop.tool("shop_not_offered") is None


async def test_a_name_that_the_model_cannot_use_is_written_differently(shop: McpServer) -> None:
    assert await invoke(shop, "find_seats", '{"seats": 2}') == {"result": "2 found"}


async def test_errors_are_told_in_words(shop: McpServer) -> None:
    with pytest.raises(ToolFailed, match="fail failed: Error executing tool fail"):
        await invoke(shop, "fail")
    with pytest.raises(ToolFailed, match=r"(?s)find\.seats failed: .*valid integer"):
        await invoke(shop, "find_seats", '{"seats": "many"}')
    for arguments in ("[]", "{", '"x"', "null"):
        with pytest.raises(ToolArgumentsInvalid, match="must be one JSON object"):
            await invoke(shop, "fail", arguments)


async def test_a_large_answer_is_cut(shop: McpServer) -> None:
    assert "more than 16384 bytes" in (await invoke(shop, "large"))["cut"]


async def test_calls_run_beside_each_other(shop: McpServer) -> None:
    calls = [invoke(shop, "order_status", f'{{"order_id": "{n}"}}') for n in range(20)]
    assert [told["order"] for told in await asyncio.gather(*calls)] == [str(n) for n in range(20)]


async def test_a_server_that_breaks_down_in_a_call_comes_back(tmp_path: Path) -> None:
    server = server_of(tmp_path, over_stdio(tmp_path), {"SHOP_TOKEN": "x"})
    async with server.running():
        assert await server.until_connected()
        with pytest.raises(ToolFailed, match="break_down went away before it answered"):
            await invoke(server, "break_down")
        await until(lambda: len(pids(tmp_path)) == 2)
        assert await server.until_connected()
        assert await invoke(server, "token") == {"result": "t-x"}


async def test_a_server_that_dies_between_calls_is_back_before_the_next(tmp_path: Path) -> None:
    server = server_of(tmp_path, over_stdio(tmp_path), {"SHOP_TOKEN": "x"})
    async with server.running():
        assert await server.until_connected()
        (pid,) = pids(tmp_path)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(pids(tmp_path)) == 2)
        assert await server.until_connected()
        assert await invoke(server, "token") == {"result": "t-x"}


async def test_an_http_server_that_comes_later_or_again_is_found(
    tmp_path: Path, http_shop: HttpShop, monkeypatch
) -> None:
    monkeypatch.setattr(mcp, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(mcp, "CONNECT_WITHIN_S", 0.3)
    server = server_of(tmp_path, http_shop.file)
    async with server.running():
        assert not await server.until_connected()
        assert server.tool("shop_token") is None
        await http_shop.start()
        monkeypatch.setattr(mcp, "CONNECT_WITHIN_S", WITHIN_S)
        assert await server.until_connected()
        tool = server.tool("shop_token")
        assert tool is not None
        await http_shop.stop()
        for _ in range(2):
            with pytest.raises(ToolFailed):
                await tool.invoke("{}", CONTEXT)
        await http_shop.start()
        await until(lambda: server.tool("shop_token") is not None)
        assert await invoke(server, "token") == {"result": "none"}


async def until(so: Callable[[], bool]) -> None:
    """Wait for something that the server's own tasks bring about."""
    async with asyncio.timeout(WITHIN_S):
        while not so():
            await asyncio.to_thread(lambda: None)  # let the loop and others run


async def test_a_missing_program_and_an_unknown_tool_are_logged_and_end_nothing(tmp_path) -> None:
    with structlog.testing.capture_logs() as logs:
        server = server_of(tmp_path, "command: [/no/such/program]\ntools: [a]\n")
        async with server.running():
            await until(lambda: len(logs) > 1)
            assert server.tool("shop_a") is None
    assert logs[0] == {
        "event": "mcp_connection_lost", "log_level": "warning", "server": "shop",
        "fault": "FileNotFoundError",
    }  # fmt: skip
    text = over_stdio(tmp_path).replace("fail:", "fial:")
    with structlog.testing.capture_logs() as logs:
        server = server_of(tmp_path, text, {"SHOP_TOKEN": "x"})
        async with server.running():
            assert await server.until_connected()
            assert server.tool("shop_fial") is None
    (line,) = [line for line in logs if line["event"] == "mcp_tool_unknown"]
    assert (line["tool"], line["hint"]) == ("fial", "; did you mean 'fail'?")
    assert "s3cr3t" not in str(logs)


async def test_the_servers_process_ends_with_the_bridge(tmp_path: Path) -> None:
    server = server_of(tmp_path, over_stdio(tmp_path), {"SHOP_TOKEN": "x"})
    async with server.running():
        assert await server.until_connected()
    (pid,) = pids(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert server.tool("shop_token") is None


async def test_a_registry_leaves_out_what_is_away_and_brings_it_when_it_is_there(tmp_path) -> None:
    server = server_of(tmp_path, over_stdio(tmp_path), {"SHOP_TOKEN": "x"})
    registry = ToolRegistry.with_builtins()
    registry.add_server(server)
    wanted = ["hang_up", "shop_token"]
    assert [tool.name for tool in registry.for_persona(wanted)] == ["hang_up"]
    assert registry.errors_of(wanted) == []
    async with registry.running():
        assert [tool.name for tool in registry.for_persona(wanted)] == wanted
        assert registry.origin_of("shop_token").version == "4.2"
    with pytest.raises(ConfigError, match="did you mean 'shop_token'"):
        registry.get("shop_tokn")
    with pytest.raises(ConfigError, match="there are two tools named 'shop_order_status'"):
        registry.add_server(server)


async def test_a_server_whose_secret_is_not_set_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "shop.yaml").write_text(over_stdio(tmp_path))
    registry = load_tools(tmp_path, [], {}).registry
    assert registry.missing(["hang_up", "shop_token"]) == {"shop_token": ("SHOP_TOKEN",)}
    async with registry.running():
        assert registry.for_persona(["shop_token"]) == ()
    assert pids(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tools: [a]", "expected either 'command' or 'url'"),
        ("command: [x]\nurl: https://a.example\ntools: [a]", "expected either"),
        ("command: []\ntools: [a]", "command"),
        ("command: [x]\ntools: []", "tools"),
        ("command: [x]", "this key is required"),
        ("url: http://a.example\ntools: [a]", "allow_http: true"),
        ("url: ws://a.example\ntools: [a]", "starts with https://"),
        ("url: https://a.example\nenv: {A: b}\ntools: [a]", "'env' goes with 'command'"),
        ("command: [x]\nheaders: {A: b}\ntools: [a]", "'headers' with 'url'"),
        ("url: https://a.example\nheaders: {A: '${B}'}\ntools: [a]", "${env:NAME}"),
        ("command: [x]\ntools: {a: {timeout: 1}}", "did you mean 'timeout_s'?"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_of(tmp_path, text + "\n")
    assert words in str(caught.value)


def test_without_the_client_it_is_said_what_to_install(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "shop.yaml").write_text("command: [x]\ntools: [a]\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (error,) = load_tools(tmp_path, [], {}).errors
    assert "install voicebridge[mcp]" in str(error)

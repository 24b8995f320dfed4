"""An HTTP tool makes the request that its file describes, and tells what the file selects."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from http_service import CONTEXT, Names, invoked, made, served
from hypothesis import given
from hypothesis import strategies as st

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.tools import http
from voicebridge.tools.http import HttpSender
from voicebridge.tools.http_text import fill, fill_path, select

SECRET = "s3cr3t-t0ken-of-the-shop"

FILE = """
description: Tell how far an order has come.
method: {method}
url: http://127.0.0.1:{port}/orders/{{order_id}}/status
headers: {{Authorization: "Bearer ${{env:SHOP_TOKEN}}"}}
arguments:
  order_id: {{description: "The order number.", max_length: 20}}
  language: {{description: "Of the answer.", one_of: [en, de], required: false}}
query: {{lang: "{{language}}", by: "{{call.caller}}"}}
allow_http: true
allow_private: true
"""


class Shop:
    """Answer as a test wishes, and keep what was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.reply: Any = {"order": {"status": "on its way", "items": [{"n": 1}, {"n": 2}]}}
        self.status = 200
        self.headers: dict[str, str] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        if isinstance(self.reply, bytes):
            return web.Response(body=self.reply, status=self.status, headers=self.headers)
        return web.json_response(self.reply, status=self.status, headers=self.headers)


async def ask(
    folder: Path, shop: Shop, arguments: str, text: str = FILE, method: str = "GET"
) -> Any:
    """Invoke the tool of a file against a shop and return what the model is told."""
    sender = HttpSender(Names())
    async with served(shop) as port:
        file = text.format(port=port, method=method)
        tool = made(folder, file, sender, {"SHOP_TOKEN": SECRET})
        return json.loads(await invoked(tool, arguments, sender))


async def test_the_request_is_the_one_of_the_file(tmp_path: Path) -> None:
    shop = Shop()
    told = await ask(tmp_path, shop, '{"order_id": "A-1", "language": "de"}')
    assert told == shop.reply
    (request,) = shop.asked
    assert (request.method, request.raw_path) == (
        "GET", "/orders/A-1/status?lang=de&by=%2B15550100001",
    )  # fmt: skip
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["User-Agent"].startswith("voicebridge/")
    assert shop.bodies == [b""]


async def test_an_argument_that_is_not_passed_is_left_out(tmp_path: Path) -> None:
    shop = Shop()
    await ask(tmp_path, shop, '{"order_id": "A-1"}')
    assert shop.asked[0].raw_path == "/orders/A-1/status?by=%2B15550100001"


BODY = (
    FILE
    + """body:
  order: "{{order_id}}"
  urgent: "{{urgent}}"
  count: "{{count}}"
  note: "By telephone, call {{call.id}}: {{order_id}}"
  given: [1, null, "{{language}}"]
"""
)


async def test_a_body_takes_values_as_they_are_typed(tmp_path: Path) -> None:
    text = BODY.replace(
        "query:",
        "  urgent: {{description: Is it so., type: boolean}}\n"
        "  count: {{description: How many., type: integer, minimum: 1, maximum: 9, "
        "required: false}}\nquery:",
    )
    shop = Shop()
    arguments = '{"order_id": "A\\"1", "urgent": true, "language": "en"}'
    await ask(tmp_path, shop, arguments, text, "POST")
    assert json.loads(shop.bodies[0]) == {
        "order": 'A"1',
        "urgent": True,
        "note": 'By telephone, call CA1: A"1',
        "given": [1, None, "en"],
    }
    assert shop.asked[0].headers["Content-Type"] == "application/json"
    with pytest.raises(ToolArgumentsInvalid, match="'count' should be less than or equal to 9"):
        await ask(tmp_path, shop, '{"order_id": "1", "urgent": false, "count": 10}', text, "POST")


@pytest.mark.parametrize(
    ("order_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("../admin", "..%2Fadmin"),
        ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
        ("%2e%2e%2f", "%252e%252e%252f"),
        ("//evil.example", "%2F%2Fevil.example"),
        ("@evil.example", "%40evil.example"),
        ("a\r\nX: y", "a%0D%0AX%3A%20y"),
        ("{call.id}", "%7Bcall.id%7D"),
        ("ü 日", "%C3%BC%20%E6%97%A5"),
        ("${env:PATH}", "%24%7Benv%3APATH%7D"),
    ],
)
async def test_an_argument_is_one_segment_of_the_path_whatever_is_in_it(
    tmp_path: Path, order_id: str, segment: str
) -> None:
    shop = Shop()
    await ask(tmp_path, shop, json.dumps({"order_id": order_id}))
    assert shop.asked[0].raw_path.partition("?")[0] == f"/orders/{segment}/status"


@pytest.mark.parametrize("order_id", ["", " ", ".", ".."])
async def test_an_argument_that_would_lead_to_another_path_is_refused(tmp_path, order_id) -> None:
    shop = Shop()
    with pytest.raises(ToolArgumentsInvalid):
        await ask(tmp_path, shop, json.dumps({"order_id": order_id}))
    assert shop.asked == []


@given(st.text(min_size=1, max_size=20).filter(lambda text: text.strip(". ")))
def test_no_value_can_leave_its_segment(value: str) -> None:
    if value.strip():
        path = fill_path("/a/{x}/b", {"x": value.encode("utf-8", "replace").decode()})
        assert path.count("/") == 3
        assert not set(path) & set("?#\\ \r\n")


@given(st.text(max_size=30))
def test_a_template_in_a_value_is_not_filled(value: str) -> None:
    values = {"x": value, "y": "SECOND"}
    assert fill({"a": "{x}", "b": "-{x}-"}, values) == {"a": value, "b": f"-{value}-"}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("{select: /order/status}", "on its way"),
        ("{select: {state: /order/status, none: /order/when}}", {"state": "on its way"}),
        ("{select: /order/items/1/n}", 2),
        ("{select: '/order/items/*/n'}", [1, 2]),
        ("{select: '/a~1b/m~0n'}", True),
        ("{select: /order/items, max_bytes: 10}",
         {"beginning": '[{"n":1},{', "cut": "cut here: more than 10 bytes"}),
    ],
)  # fmt: skip
async def test_of_the_reply_is_told_what_the_file_selects(tmp_path: Path, wanted, told) -> None:
    shop = Shop()
    shop.reply["a/b"] = {"m~n": True}
    text = FILE + f"reply: {wanted.replace('{', '{{').replace('}', '}}')}\n"
    assert await ask(tmp_path, shop, '{"order_id": "1"}', text) == told


@pytest.mark.parametrize(
    "wanted", ["/nothing", "/order/items/7", "/order/items/x", "/order/status/x"]
)
async def test_a_reply_without_what_is_selected_has_failed(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ToolFailed, match="lookup brought nothing that can be told"):
        await ask(
            tmp_path, Shop(), '{"order_id": "1"}', FILE + f"reply: {{{{select: {wanted}}}}}\n"
        )


def test_an_absent_name_is_left_out_but_not_null() -> None:
    assert select({"a": None}, {"a": "/a", "b": "/b"}, "t") == {"a": None}
    assert select({"a": 1}, "", "t") == {"a": 1}


@pytest.mark.parametrize(
    ("reply", "told"),
    [(b"", {"done": True}), (b" \n", {"done": True}), (b"It is late.", "It is late.")],
)
async def test_a_reply_that_is_no_json_is_text(tmp_path: Path, reply: bytes, told: Any) -> None:
    shop = Shop()
    shop.reply = reply
    assert await ask(tmp_path, shop, '{"order_id": "1"}') == told


async def test_text_where_json_is_selected_from_has_failed(tmp_path: Path) -> None:
    shop = Shop()
    shop.reply = b"<html>"
    with pytest.raises(ToolFailed, match="something unreadable"):
        await ask(tmp_path, shop, '{"order_id": "1"}', FILE + "reply: {{select: /a}}\n")


@pytest.mark.parametrize("status", [304, 400, 401, 404, 429, 500, 503])
async def test_a_refusal_is_told_by_its_status_and_nothing_else(tmp_path: Path, status) -> None:
    shop = Shop()
    shop.status, shop.reply = status, {"error": f"internal: {SECRET}"}
    with pytest.raises(ToolFailed) as caught:
        await ask(tmp_path, shop, '{"order_id": "1"}')
    assert f"answered with status {status}" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
async def test_more_than_a_megabyte_is_not_read_even_if_it_came_as_less(tmp_path, compressed):
    shop = Shop()
    large = b'"' + b"x" * http.MAX_REPLY_BYTES + b'"'
    shop.reply = gzip.compress(large) if compressed else large
    shop.headers = {"Content-Encoding": "gzip"} if compressed else {}
    with pytest.raises(ToolFailed, match="answered with too much"):
        await ask(tmp_path, shop, '{"order_id": "1"}')


async def test_a_service_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    over = asyncio.Event()

    class Slow(Shop):
        async def __call__(self, request: web.Request) -> web.StreamResponse:
            await over.wait()
            return await super().__call__(request)

    shop = Slow()
    with pytest.raises(ToolFailed, match="did not answer in time"):
        await ask(tmp_path, shop, '{"order_id": "1"}', FILE + "timeout_s: 0.2\n")
    over.set()


async def test_no_secret_is_in_an_error_a_log_line_or_a_repr(tmp_path: Path) -> None:
    sender = HttpSender(Names({"gone.example": [["127.0.0.1"]]}))
    text = FILE.format(port=9, method="GET").replace("127.0.0.1", "gone.example")
    tool = made(tmp_path, text, sender, {"SHOP_TOKEN": SECRET})
    with structlog.testing.capture_logs() as logs, pytest.raises(ToolFailed) as caught:
        await invoked(tool, '{"order_id": "PERSONAL-1"}', sender)
    assert "cannot be reached" in str(caught.value)
    assert logs[0]["host"] == "gone.example"
    shown = [str(caught.value), repr(caught.value), str(logs), repr(tool), repr(tool.function)]
    for text in shown:
        assert SECRET not in text
        assert "PERSONAL-1" not in text
    assert caught.value.__cause__ is None


async def test_a_tool_whose_secret_is_not_set_is_known_and_does_not_run(tmp_path: Path) -> None:
    sender = HttpSender(Names())
    tool = made(tmp_path, FILE.format(port=9, method="GET"), sender)
    assert tool.missing == ("SHOP_TOKEN",)
    with pytest.raises(ToolFailed, match="is not set up"):
        await invoked(tool, '{"order_id": "1"}', sender)


async def test_without_open_connections_a_tool_fails_in_words(tmp_path: Path) -> None:
    tool = made(tmp_path, FILE.format(port=9, method="GET"), HttpSender(), {"SHOP_TOKEN": SECRET})
    with pytest.raises(ToolFailed, match="cannot be reached now"):
        await tool.invoke('{"order_id": "1"}', CONTEXT)


async def test_one_callers_cookie_is_not_sent_for_another(tmp_path: Path) -> None:
    shop, sender = Shop(), HttpSender(Names())
    shop.headers = {"Set-Cookie": "session=of-the-first-caller"}
    async with served(shop) as port, sender.running():
        tool = made(tmp_path, FILE.format(port=port, method="GET"), sender, {"SHOP_TOKEN": SECRET})
        for _ in range(2):
            await tool.invoke('{"order_id": "1"}', CONTEXT)
    assert [request.cookies for request in shop.asked] == [{}, {}]

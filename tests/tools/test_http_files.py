"""A file of config/tools is refused with its line and a remedy, before a call could use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_service import made

from voicebridge.errors import ConfigError
from voicebridge.tools.http import HttpSender
from voicebridge.tools.tool import Tool, ToolOptions

GOOD = """
description: Tell how far an order has come.
url: https://api.example.com/orders/{order_id}
headers:
  Authorization: "Bearer ${env:SHOP_TOKEN}"
arguments:
  order_id: {description: The order number., pattern: "^[A-Z]-[0-9]+$"}
  seats: {description: How many., type: integer, minimum: 1, required: false}
  day: {description: When., one_of: [today, tomorrow], required: false}
  price: {description: At most., type: number, maximum: 9.5, required: false}
  warm: {description: Or cold., type: boolean}
query: {seats: "{seats}", day: "{day}", price: "{price}", warm: "{warm}"}
timeout_s: 20
confirm: true
cancellable: true
filler: One moment please.
"""


def tool_of(folder: Path, text: str) -> Tool:
    return made(folder, text, HttpSender(), {"SHOP_TOKEN": "x"})


def test_the_model_sees_the_arguments_and_nothing_of_the_request(tmp_path: Path) -> None:
    tool = tool_of(tmp_path, GOOD)
    assert (tool.name, tool.description) == ("lookup", "Tell how far an order has come.")
    assert tool.options == ToolOptions(
        timeout_s=20, confirm=True, cancellable=True, filler="One moment please."
    )
    properties = tool.parameters["properties"]
    assert properties["order_id"] == {
        "type": "string",
        "pattern": "^[A-Z]-[0-9]+$",
        "maxLength": 200,
        "description": "The order number.",
    }
    assert properties["day"]["anyOf"][0] == {"type": "string", "enum": ["today", "tomorrow"]}
    assert properties["seats"]["anyOf"][0] == {"type": "integer", "minimum": 1}
    assert properties["price"]["anyOf"][0] == {"type": "number", "maximum": 9.5}
    assert tool.parameters["required"] == ["order_id", "warm"]
    assert "example.com" not in str(tool.parameters)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("https:", "http:", "for a service without it say 'allow_http: true'"),
        ("https:", "ftp:", "expected a URL that starts with https://"),
        ("api.example.com", "{order_id}.example.com", "the host of a URL cannot be an argument"),
        ("api.example.com", "u:p@api.example.com", "without user name and password"),
        ("api.example.com", "api example.com", "in ASCII without blanks"),
        ("{order_id}\n", "{order_id}?x=1\n", "under the key 'query'"),
        ("{order_id}\n", "{order-id}\n", "around the name of an argument"),
        ("{order_id}\n", "{order_no}\n", "no argument 'order_no'; did you mean 'order_id'?"),
        ("{order_id}\n", "1\n", "the argument 'order_id' is used nowhere"),
        ("{order_id}\n", "{order_id}/{seats}\n", "'seats' is part of the URL, so it is required"),
        ("{order_id}\n", "${env:X}\n", "a secret may stand in a header only"),
        ('"{seats}"', '"${env:X}"', "a secret may stand in a header only"),
        ("${env:SHOP_TOKEN}", "${SHOP_TOKEN}", "expected a secret as ${env:NAME}"),
        ("Authorization:", "Content-Length:", "the header 'Content-Length' cannot be set here"),
        ("Authorization:", '"X\\r\\nY":', "cannot be set here"),
        ("Bearer ", "B\\u00e4r ", "one line of ASCII text"),
        ("description: Tell", "descripton: Tell", "did you mean 'description'?"),
        ("type: integer, minimum: 1", "minimum: 1", "for the types integer and number"),
        ("type: boolean", "type: boolean, pattern: x", "are for the type string"),
        ("type: boolean", "type: bool", "did you mean 'boolean'?"),
        ("  warm:", "  class:", "'class' cannot be the name of an argument"),
        ("timeout_s: 20", "timeout_s: 200", "at most 120"),
        ("timeout_s: 20", "method: FETCH", "method"),
        ("timeout_s: 20", "body: {a: 1}", "a GET request has no body"),
        ("timeout_s: 20", "allow_hosts: ['https://x/']", "expected a host such as"),
        ("timeout_s: 20", "reply: {select: order}", "expected a JSON pointer"),
        ("^[A-Z]-[0-9]+$", "[", "'lookup' cannot be used"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, old, new, words) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        tool_of(tmp_path, GOOD.replace(old, new))
    assert words in str(caught.value)


def test_a_fault_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        tool_of(tmp_path, GOOD.replace("https:", "ftp:"))
    assert (caught.value.file, caught.value.line, caught.value.key) == (
        tmp_path / "lookup.yaml", 3, "url",
    )  # fmt: skip

"""Text messages: to whom, how long, how many, and never the same one twice."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.outbound.carrier_actions import NewMessage, RestError
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rest import TwilioRest
from voicebridge.outbound.send_sms import MOST_A_CALL, MOST_A_DAY, MOST_CHARACTERS, send_sms_tool
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool

OURS, CALLER, COLLEAGUE = "+12125550199", "+12125550123", "+12125550177"
CALL = CallContext(
    "CA1", CALLER, OURS, "desk", lambda reason: None, recipients={"dentist": COLLEAGUE}
)


class Post(TwilioRest):
    """A carrier that keeps what it is to send, and may refuse."""

    def __init__(self) -> None:
        self.sent: list[NewMessage] = []
        self.error: RestError | None = None
        self.attempts = 0

    async def send_message(self, message: NewMessage) -> str:
        self.attempts += 1
        if self.error is not None:
            raise self.error
        self.sent.append(message)
        return f"SM{len(self.sent)}"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def sms(post: Post) -> Tool:
    return send_sms_tool(post, OURS, None)


async def send(sms: Tool, call: CallContext = CALL, **arguments: str) -> dict[str, str]:
    told = {"text": "Quay 12", **arguments}
    answer: dict[str, str] = json.loads(await sms.invoke(json.dumps(told), call))
    return answer


async def test_the_caller_gets_a_message_from_our_number(post: Post, sms: Tool) -> None:
    assert await send(sms, text=" Quay\u202e 12\r\nGrüße \U0001f600 ") == {"sent_to": "caller"}
    assert post.sent == [NewMessage(to=CALLER, sender=OURS, text="Quay 12\nGrüße \U0001f600")]


async def test_those_whom_the_persona_names_get_one_by_name(post: Post, sms: Tool) -> None:
    assert await send(sms, to="dentist") == {"sent_to": "dentist"}
    assert post.sent[0].to == COLLEAGUE
    with pytest.raises(ToolFailed, match="there are: caller, dentist"):
        await send(sms, to="doctor")


async def test_the_caller_is_asked_before_it_is_sent(sms: Tool) -> None:
    assert sms.options.confirm
    assert sms.options.timeout_s == 15


@pytest.mark.parametrize("text", ["", "x" * (MOST_CHARACTERS + 1)], ids=["none", "too long"])
async def test_a_message_has_a_length(post: Post, sms: Tool, text: str) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        await send(sms, text=text)
    assert post.attempts == 0


async def test_a_message_of_nothing_that_can_be_seen_is_none(post: Post, sms: Tool) -> None:
    with pytest.raises(ToolFailed, match="nothing in this message"):
        await send(sms, text="\u200b \u2066\n")
    assert post.attempts == 0


async def test_the_same_message_is_sent_once_a_call(post: Post, sms: Tool) -> None:
    await send(sms)
    told = await send(sms)
    assert (told["sent_to"], "sent before" in told["note"]) == ("caller", True)
    await send(sms, to="dentist")
    await send(sms, replace(CALL, call_id="CA2"))
    assert [message.to for message in post.sent] == [CALLER, COLLEAGUE, CALLER]


async def test_a_call_sends_so_many_messages(post: Post, sms: Tool) -> None:
    for number in range(MOST_A_CALL):
        await send(sms, text=f"No. {number}")
    with pytest.raises(ToolFailed, match="no more than 3 messages"):
        await send(sms, text="One more")
    assert len(post.sent) == MOST_A_CALL
    await send(sms, replace(CALL, call_id="CA2"), text="One more")


async def test_a_number_gets_so_many_messages_a_day(
    post: Post, sms: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("voicebridge.outbound.send_sms.time", fake)
    for number in range(MOST_A_DAY + 1):
        call = replace(CALL, call_id=f"CA{number}")
        await send(sms, call, to="dentist")
        if number == MOST_A_DAY:
            for _ in range(2):
                with pytest.raises(ToolFailed, match="enough messages today"):
                    await send(sms, call)
        else:
            await send(sms, call)
    await send(sms, replace(CALL, call_id="CA98", caller="+12125550124"))
    clock.now += 86_400
    await send(sms, replace(CALL, call_id="CA99"))
    assert [message.to for message in post.sent].count(CALLER) == MOST_A_DAY + 1


async def test_only_so_many_calls_are_remembered(
    post: Post, sms: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.outbound.send_sms._REMEMBERED", 2)
    for number in range(3):
        await send(sms, replace(CALL, call_id=f"CA{number}"))
    await send(sms, replace(CALL, call_id="CA2"))
    await send(sms, replace(CALL, call_id="CA0"))
    assert len(post.sent) == 4


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (400, 21610, "asked for no more messages"),
        (400, 21614, "cannot get text messages"),
        (400, 21211, "cannot get text messages"),
        (400, 21408, "cannot get text messages"),
        (401, 20003, "could not be sent"),
        (429, 20429, "could not be sent"),
    ],
)
async def test_a_message_that_was_refused_may_be_tried_again(
    post: Post, sms: Tool, status: int, code: int, why: str
) -> None:
    post.error = RestError("details", status=status, code=code)
    with pytest.raises(ToolFailed, match=why) as caught:
        await send(sms)
    assert "details" not in str(caught.value)
    post.error = None
    assert await send(sms) == {"sent_to": "caller"}
    assert post.attempts == 2


@pytest.mark.parametrize("status", [None, 500, 503], ids=str)
async def test_a_message_that_may_have_been_sent_is_never_sent_again(
    post: Post, sms: Tool, status: int | None
) -> None:
    post.error = RestError("no", status=status)
    for _ in range(2):
        with pytest.raises(ToolFailed, match="not certain"):
            await send(sms)
        post.error = None
    assert (post.attempts, post.sent) == (1, [])


async def test_a_message_that_was_under_way_when_its_tool_was_stopped_is_not_sent_again(
    post: Post, sms: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def never(message: NewMessage) -> str:
        reached.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(post, "send_message", never)
        sending = asyncio.create_task(send(sms))
        await reached.wait()
        sending.cancel()
        await asyncio.wait({sending})
    with pytest.raises(ToolFailed, match="not certain"):
        await send(sms)
    assert post.attempts == 0


async def test_who_wants_to_be_left_alone_gets_no_message(post: Post, tmp_path: Path) -> None:
    opt_out = OptOutList(tmp_path / "opt-out.txt")
    opt_out.add(CALLER)
    with pytest.raises(ToolFailed, match="left alone"):
        await send(send_sms_tool(post, OURS, opt_out))
    assert post.attempts == 0


@pytest.mark.parametrize("without", ["carrier", "sender"])
async def test_where_it_is_not_set_up_nothing_is_sent(post: Post, without: str) -> None:
    sms = send_sms_tool(None if without == "carrier" else post, None, None)
    with pytest.raises(ToolFailed, match="cannot be sent from here"):
        await send(sms)

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_harness import STALLED, Client, ToneVoice, conversing, says

from voicebridge.rehearsal.conversation import Conversation, Item
from voicebridge.rehearsal.item_desk import heard_and_rest
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.session_log import SpokenItem
from voicebridge.rehearsal.steps import AgentStep

CUT = 'up to "{heard}": {rest}'


def text_message(role: str, kind: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": kind, "text": "Hm."}]
    return {"type": "message", "role": role, "content": content, **fields}


async def reply(client: Client) -> str:
    await client.send("response.create")
    done = await client.until("response.done")
    return str(done["response"]["output"][0]["id"])


async def transcript(client: Client) -> str:
    await client.send("response.create")
    done = await client.until("response.done")
    return str(done["response"]["output"][0]["content"][0]["transcript"])


async def truncate_error(client: Client, item_id: str, **fields: Any) -> dict[str, Any]:
    wish = {"item_id": item_id, "content_index": 0, "audio_end_ms": 100, **fields}
    return await client.error_after("conversation.item.truncate", **wish)


async def test_a_truncate_within_the_audio_is_accepted_and_takes_the_transcript() -> None:
    async with conversing(says("One two. Three four five. Six.")) as (client, server):
        await client.configure()
        item_id = await reply(client)
        wish = {"item_id": item_id, "content_index": 0, "audio_end_ms": 700}
        await client.send("conversation.item.truncate", **wish)
        truncated = await client.until("conversation.item.truncated")
        assert {key: truncated[key] for key in wish} == wish
        await client.send("conversation.item.retrieve", item_id=item_id)
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert item["content"] == [{"type": "output_audio"}]
        cut = server.sessions[0].log.truncates[0]
    assert (cut.item_id, cut.audio_end_ms, cut.accepted) == (item_id, 700, True)


async def test_a_truncate_beyond_the_audio_is_refused_with_both_lengths() -> None:
    async with conversing(says("One two three.")) as (client, server):
        await client.configure()
        item_id = await reply(client)
        error = await truncate_error(client, item_id, audio_end_ms=601)
        assert (error["code"], error["param"]) == ("invalid_value", "audio_end_ms")
        assert error["message"] == "Audio content of 600ms is already shorter than 601ms"
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300
        )
        await client.until("conversation.item.truncated")
        error = await truncate_error(client, item_id, audio_end_ms=301)
        assert error["message"] == "Audio content of 300ms is already shorter than 301ms"
        cuts = server.sessions[0].log.truncates
    assert [(cut.accepted, cut.error_code) for cut in cuts] == [
        (False, "invalid_value"),
        (True, None),
        (False, "invalid_value"),
    ]


async def test_only_what_was_sent_of_a_reply_can_be_kept_of_it() -> None:
    async with conversing(says("word " * 50), pace=STALLED) as (client, _):
        await client.configure()
        await client.send("response.create")
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.send("response.cancel")
        await client.until("response.done")
        sent_ms = len(client.audio_of(item_id)) // 8
        error = await truncate_error(client, item_id, audio_end_ms=sent_ms + 1)
        assert error["message"].startswith(f"Audio content of {sent_ms}ms")


async def test_a_reply_truncated_before_its_end_keeps_no_transcript_when_it_ends() -> None:
    async with conversing(says("word " * 50), pace=STALLED) as (client, _):
        await client.configure()
        await client.send("response.create")
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=20
        )
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert done["output"][0]["content"] == [{"type": "output_audio"}]


async def test_what_is_no_audio_of_the_model_cannot_be_truncated() -> None:
    async with conversing(Script(agent=(AgentStep(call="f"),))) as (client, server):
        await client.configure()
        call_id = await reply(client)
        user = text_message("user", "input_text", id="item_user")
        await client.send("conversation.item.create", item=user)
        for item_id in (call_id, "item_user"):
            error = await truncate_error(client, item_id)
            assert error["code"] == "unsupported_content_type"
            assert error["message"] == "Only model output audio messages can be truncated"
        assert len(server.sessions[0].log.truncates) == 2


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"item_id": "item_x"}, "item_truncate_invalid_item_id", "item_id"),
        ({"content_index": 1}, "invalid_value", "content_index"),
        ({"audio_end_ms": -1}, "integer_below_min_value", "audio_end_ms"),
        ({"audio_end_ms": 1.5}, "invalid_type", "audio_end_ms"),
        ({"audio_end_ms": "1"}, "invalid_type", "audio_end_ms"),
        ({"end": 1}, "unknown_parameter", "end"),
    ],
)
async def test_a_wrong_truncate_is_refused(fields: dict[str, Any], code: str, param: str) -> None:
    async with conversing(says("One two three.")) as (client, _):
        item_id = await reply(client)
        error = await truncate_error(client, **{"item_id": item_id, **fields})
        assert (error["code"], error["param"]) == (code, param)


async def test_a_truncate_without_its_fields_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, _):
        error = await client.error_after("conversation.item.truncate", item_id="x", content_index=0)
        assert (error["code"], error["param"]) == ("missing_required_parameter", "audio_end_ms")
        assert error["message"] == "Missing required parameter: 'audio_end_ms'."


@pytest.mark.parametrize("wish", ["delete", "retrieve"])
async def test_an_unknown_item_is_refused_by_the_name_of_the_wish(wish: str) -> None:
    async with conversing(says("Hello.")) as (client, _):
        error = await client.error_after(f"conversation.item.{wish}", item_id="item_x")
        assert error["code"] == f"item_{wish}_invalid_item_id"
        assert error["message"] == "Item with item_id not found: item_x"


async def test_a_deleted_item_is_gone() -> None:
    async with conversing(says("Hello.")) as (client, server):
        item_id = await reply(client)
        await client.send("conversation.item.delete", item_id=item_id)
        assert (await client.until("conversation.item.deleted"))["item_id"] == item_id
        error = await client.error_after("conversation.item.delete", item_id=item_id)
        assert error["code"] == "item_delete_invalid_item_id"
        assert (await truncate_error(client, item_id))["code"] == "item_truncate_invalid_item_id"
        deletes = server.sessions[0].log.deletes
    assert [(one.item_id, one.accepted) for one in deletes] == [(item_id, True), (item_id, False)]


async def test_the_next_reply_knows_what_was_heard_of_the_one_that_was_cut() -> None:
    async with conversing(says("One two. Three four five. Six.", CUT)) as (client, _):
        await client.configure()
        item_id = await reply(client)
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=850
        )
        assert await transcript(client) == 'up to "One two. Three four": Three four five. Six.'


async def test_a_reply_that_was_not_heard_at_all_is_all_still_to_say() -> None:
    async with conversing(says("One two. Three.", CUT)) as (client, _):
        item_id = await reply(client)
        await client.send("conversation.item.delete", item_id=item_id)
        assert await transcript(client) == 'up to "": One two. Three.'


async def test_an_item_that_is_no_reply_changes_nothing_of_what_was_heard() -> None:
    async with conversing(says(CUT)) as (client, _):
        user = text_message("user", "input_text", id="item_user")
        await client.send("conversation.item.create", item=user)
        await client.send("conversation.item.delete", item_id="item_user")
        assert await transcript(client) == 'up to "":'


@given(st.integers(0, 4_000))
def test_heard_words_and_rest_meet_in_the_sentence_that_was_cut(heard_ms: int) -> None:
    speech = ToneVoice().speak("One two three. Four five, six! Seven eight? Nine ten eleven.")
    spoken = SpokenItem("i", "r", speech.text, speech.audio, speech.words)
    heard, rest = heard_and_rest(spoken, heard_ms)
    count = min(heard_ms // 200, len(speech.words))
    words = speech.text.split()
    assert heard == " ".join(words[max(0, count - 4) : count]).rstrip(".,!?")
    if count == len(words):
        assert rest == ""
    else:
        assert speech.text.endswith(rest)
        begun = len(words) - len(rest.split())
        assert begun <= count
        assert begun == 0 or words[begun - 1][-1] in ".!?"
        assert not any(word[-1] in ".!?" for word in words[begun:count])


async def test_items_of_the_client_are_added_where_it_says() -> None:
    async with conversing(says("Hello.")) as (client, _):
        for name, after in (("b", None), ("c", None), ("a", "root"), ("b2", "b")):
            item = text_message("user", "input_text", id=name)
            wish = {"item": item} if after is None else {"item": item, "previous_item_id": after}
            await client.send("conversation.item.create", **wish)
            done = await client.until("conversation.item.done")
            assert done["item"]["id"] == name
            assert done["item"]["status"] == "completed"
        added = client.of("conversation.item.added")
        assert [event["previous_item_id"] for event in added] == [None, "b", None, "b"]


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (text_message("user", "input_text", id="x" * 33), "string_above_max_length", "item.id"),
        (text_message("user", "output_text"), "invalid_value", "item.content[0].type"),
        (text_message("assistant", "text"), "invalid_value", "item.content[0].type"),
        (text_message("robot", "input_text"), "invalid_value", "item.role"),
        ({"type": "message", "role": "assistant",
          "content": [{"type": "output_audio", "transcript": "Hm."}]},
         "invalid_value", "item.content[0].type"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        ({"role": "user", "content": []}, "missing_required_parameter", "item.type"),
        ({"type": "function_call_output", "call_id": "call_x", "output": "{}"},
         "invalid_tool_call_id", "item.call_id"),
        ({"type": "function_call_output", "call_id": "call_x", "output": {}},
         "invalid_type", "item.output"),
        (text_message("user", "input_text", id="item_taken"),
         "item_create_duplicate_item_id", "item.id"),
        (text_message("user", "input_text", colour="red"), "unknown_parameter", "item.colour"),
    ],
)  # fmt: skip
async def test_a_wrong_item_is_refused(item: dict[str, Any], code: str, param: str) -> None:
    async with conversing(says("Hello.")) as (client, _):
        taken = text_message("user", "input_text", id="item_taken")
        await client.send("conversation.item.create", item=taken)
        error = await client.error_after("conversation.item.create", item=item)
        assert (error["code"], error["param"]) == (code, param)


async def test_an_item_after_an_unknown_one_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, _):
        item = text_message("user", "input_text")
        error = await client.error_after(
            "conversation.item.create", item=item, previous_item_id="item_x"
        )
        assert (error["code"], error["param"]) == ("invalid_value", "previous_item_id")


async def test_an_output_answers_its_call_and_the_next_reply_speaks_of_it() -> None:
    steps = (AgentStep(call="hours"), AgentStep(say="From {output.opens}, {output.none}."))
    async with conversing(Script(agent=steps)) as (client, server):
        await client.send("response.create")
        done = await client.until("response.done")
        call_id = done["response"]["output"][0]["call_id"]
        item = {"type": "function_call_output", "call_id": call_id, "output": '{"opens":"9:00"}'}
        await client.send("conversation.item.create", item=item)
        assert (await client.until("conversation.item.done"))["item"]["output"] == item["output"]
        assert await transcript(client) == "From 9:00, unknown."
        call = server.sessions[0].log.tool_calls[0]
    assert call.output == item["output"]
    assert call.output_at is not None
    assert call.output_at >= call.at


async def test_a_call_from_before_gets_an_id_when_it_has_none() -> None:
    async with conversing(says("Hello.")) as (client, _):
        before = {"type": "function_call", "name": "f", "arguments": "{}"}
        await client.send("conversation.item.create", item=before)
        item = (await client.until("conversation.item.done"))["item"]
        assert item["call_id"].startswith("call_")
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": ""}
        await client.send("conversation.item.create", item=output)
        assert (await client.until("conversation.item.done"))["item"]["output"] == ""


@given(st.lists(st.sampled_from(["end", "root", "middle", "delete"]), max_size=30))
def test_the_order_of_a_conversation_is_that_of_a_plain_list(moves: list[str]) -> None:
    conversation, model = Conversation("conv_1"), list[str]()
    for number, move in enumerate(moves):
        name = f"item_{number}"
        item = Item(name, {"type": "message", "role": "user", "content": []})
        middle = model[len(model) // 2] if model else None
        if move == "delete":
            if middle is not None:
                conversation.delete(middle)
                model.remove(middle)
            continue
        after = {"end": None, "root": "root", "middle": middle}[move]
        place = len(model) if after is None else 0 if after == "root" else model.index(after) + 1
        expected = model[place - 1] if place else None
        assert conversation.add(item, after) == expected
        model.insert(place, name)
        assert conversation.before(name) == expected
    assert conversation.last_id == (model[-1] if model else None)
    assert all(name in conversation for name in model)
    assert conversation.before("item_unknown") is None

"""Open tool calls, their deadlines, late results."""

from voicebridge.call import commands as do
from voicebridge.call.tool_calls import CONFIRM, TIMED_OUT, ToolCalls, ToolManners, ToolRules

RUN = do.RunTool("c1", "opening_hours", "{}")
OTHER = do.RunTool("c2", "opening_hours", "{}")


def test_a_call_is_run_once_however_often_it_is_delivered() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    assert calls.called("r", RUN, 0.0, 0) == [RUN]
    assert calls.called("r", RUN, 0.0, 0) == []
    calls.finished("c1", "ok", True, 5)
    assert calls.called("r", RUN, 0.0, 0) == []


def test_a_response_is_answered_once_all_its_outputs_are_in_and_it_is_done() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    calls.called("r", OTHER, 0.0, 0)
    out = calls.finished("c1", "ok", True, 5)
    assert out == [
        do.SendToolOutput("c1", "ok"),
        do.NoteTool(5, "c1", "opening_hours", "{}", "ok", True),
    ]
    calls.response_done("r")
    assert calls.take_complete() == []
    calls.finished("c2", "ok", True, 6)
    assert calls.take_complete() == ["r"]
    assert calls.take_complete() == []
    assert not calls.busy


def test_outputs_before_the_end_of_the_response_wait_for_it() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    calls.finished("c1", "ok", True, 5)
    assert calls.take_complete() == []
    calls.response_done("r")
    assert calls.take_complete() == ["r"]


def test_a_call_past_its_deadline_is_answered_and_its_late_result_dropped() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    calls.called("r", OTHER, 4.0, 0)
    assert calls.deadline == 10.0
    out = calls.expire(10.0, 99)
    assert out[0] == do.CancelTool("c1")
    assert TIMED_OUT in out[1].output
    assert calls.deadline == 14.0
    assert calls.finished("c1", "too late", True, 100) == []


def test_the_end_of_the_call_stops_every_tool() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    assert calls.cancel_all() == [do.CancelTool("c1")]
    assert not calls.busy
    assert calls.deadline is None


def test_a_response_without_calls_needs_no_answer() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.response_done("r")
    assert calls.take_complete() == []


def test_a_side_effect_needs_the_callers_word_after_it_was_asked_for() -> None:
    calls = ToolCalls(ToolRules(tools={"book": ToolManners(confirm=True)}))

    def ask(call_id: str, arguments: str) -> list[do.Command]:
        return calls.called(call_id, do.RunTool(call_id, "book", arguments), 0.0, 0)

    (sent, noted) = ask("c1", '{"day": 1, "hour": 9}')
    assert CONFIRM in sent.output
    assert not noted.ok
    assert of_run(ask("c2", '{"day": 1, "hour": 9}')) == []  # the caller has not spoken yet
    calls.caller_spoke()
    assert of_run(ask("c3", '{"day": 2, "hour": 9}')) == []  # not what was asked for
    assert len(of_run(ask("c4", '{"hour": 9, "day": 1}'))) == 1
    calls.caller_spoke()
    assert of_run(ask("c5", '{"day": 1, "hour": 9}')) == []  # consent is spent


def of_run(commands: list[do.Command]) -> list[do.Command]:
    return [command for command in commands if isinstance(command, do.RunTool)]


def test_arguments_that_are_no_json_can_be_confirmed_too() -> None:
    calls = ToolCalls(ToolRules(tools={"book": ToolManners(confirm=True)}))
    assert of_run(calls.called("r", do.RunTool("c1", "book", "{"), 0.0, 0)) == []
    calls.caller_spoke()
    assert len(of_run(calls.called("r", do.RunTool("c2", "book", "{"), 0.0, 0))) == 1


def test_a_telephone_call_has_an_end_of_tool_calls() -> None:
    calls = ToolCalls(ToolRules(calls_a_call=2))
    ran = [
        command
        for number in range(4)
        for command in calls.called("r", do.RunTool(f"c{number}", "t", "{}"), 0.0, 0)
        if isinstance(command, do.RunTool)
    ]
    assert len(ran) == 2
    calls.finished("c0", "{}", True, 0)
    calls.finished("c1", "{}", True, 0)
    calls.response_done("r")
    assert calls.take_complete() == ["r"]

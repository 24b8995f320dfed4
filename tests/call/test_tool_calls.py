"""Open tool calls, their deadlines, late results."""

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.consent import ASK_FIRST
from voicebridge.call.tool_calls import (
    CUT_OFF,
    NOT_APPROVED,
    TIMED_OUT,
    TOO_MANY,
    ToolCalls,
    ToolManners,
    ToolRules,
)

RUN = do.RunTool("c1", "opening_hours", "{}")
OTHER = do.RunTool("c2", "opening_hours", "{}")


def test_a_call_is_run_once_however_often_it_is_delivered() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    assert calls.called("r", RUN, 0.0, 0) == [RUN]
    assert calls.called("r", RUN, 0.0, 0) == []
    calls.finished("c1", "ok", True, 5)
    assert calls.called("r", RUN, 0.0, 0) == []


def test_a_call_that_comes_again_in_another_response_gets_its_output_again() -> None:
    calls = ToolCalls(ToolRules(filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    assert calls.called("s", RUN, 0.0, 0) == []  # it is still at work, and will be told
    calls.finished("c1", "ok", True, 5)
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == ["r"]
    assert calls.called("s", RUN, 0.0, 0) == [do.SendToolOutput("c1", "ok")]
    calls.rounds.response_done("s")
    assert calls.rounds.take_complete() == ["s"]


def test_a_call_of_an_earlier_stream_is_not_run_again() -> None:
    calls = ToolCalls(ToolRules(done={"c1": "booked"}, calls_a_call=2))
    assert calls.called("r", RUN, 0.0, 0) == [do.SendToolOutput("c1", "booked")]
    assert of_run(calls.called("r", OTHER, 0.0, 0)) == [OTHER]
    third = do.RunTool("c3", "opening_hours", "{}")
    assert of_run(calls.called("r", third, 0.0, 0)) == []


def test_a_response_is_answered_once_all_its_outputs_are_in_and_it_is_done() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    calls.called("r", OTHER, 0.0, 0)
    out = calls.finished("c1", "ok", True, 5)
    assert out == [
        do.SendToolOutput("c1", "ok"),
        do.NoteTool(5, "c1", "opening_hours", "{}", "ok", True),
    ]
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == []
    calls.finished("c2", "ok", True, 6)
    assert calls.rounds.take_complete() == ["r"]
    assert calls.rounds.take_complete() == []
    assert not calls.rounds.busy


def test_outputs_before_the_end_of_the_response_wait_for_it() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.called("r", RUN, 0.0, 0)
    calls.finished("c1", "ok", True, 5)
    assert calls.rounds.take_complete() == []
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == ["r"]


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
    stopped, noted = calls.cancel_all(at_ms=7)
    assert stopped == do.CancelTool("c1")
    assert isinstance(noted, do.NoteTool)
    assert (noted.at_ms, noted.call_id, noted.ok) == (7, "c1", False)
    assert CUT_OFF in noted.output
    assert not calls.rounds.busy
    assert calls.deadline is None


def test_a_response_without_calls_needs_no_answer() -> None:
    calls = ToolCalls(ToolRules(timeout_s=10, filler_after_s=None))
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == []


def test_a_side_effect_needs_the_callers_word_after_it_was_asked_for() -> None:
    calls = ToolCalls(ToolRules(tools={"book": ToolManners(confirm=True)}))

    def ask(call_id: str, arguments: str) -> list[do.Command]:
        return calls.called(call_id, do.RunTool(call_id, "book", arguments), 0.0, 0)

    (sent, noted) = ask("c1", '{"day": 1, "hour": 9}')
    assert ASK_FIRST in sent.output
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
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == ["r"]


def test_a_model_that_calls_and_calls_is_told_to_speak_and_in_the_end_not_asked_any_more() -> None:
    calls = ToolCalls(ToolRules(filler_after_s=None))
    ran = answered = told = 0
    for number in range(100):
        out = calls.called(f"r{number}", do.RunTool(f"c{number}", "t", "{}"), 0.0, 0)
        ran += len(of_run(out))
        told += sum(isinstance(c, do.SendToolOutput) and TOO_MANY in c.output for c in out)
        calls.finished(f"c{number}", "{}", True, 0)
        calls.rounds.response_done(f"r{number}")
        answered += len(calls.rounds.take_complete())
        assert calls.rounds.exhausted == (number >= 5)
    assert (ran, told, answered) == (5, 95, 8)
    calls.caller_spoke()
    again = do.RunTool("c100", "t", "{}")
    assert of_run(calls.called("r100", again, 0.0, 0)) == []  # sixty calls are enough


def asked(request_id: str, server: str = "shop", arguments: str = "{}") -> ev.ApprovalAsked:
    return ev.ApprovalAsked("r", request_id, server, "order", arguments)


def answers(commands: list[do.Command]) -> list[tuple[bool, str | None]]:
    return [(c.approve, c.reason) for c in commands if isinstance(c, do.AnswerApproval)]


def test_a_server_that_asks_is_answered_by_the_personas_rule_and_it_is_noted() -> None:
    calls = ToolCalls(ToolRules(approvals={"shop": "always", "bank": "never"}))
    out = calls.approval(asked("a1"), 7)
    assert out == [
        do.AnswerApproval("a1", True),
        do.NoteTool(7, "a1", "shop.order", "{}", '{"approved": true}', True),
    ]
    assert calls.approval(asked("a1"), 8) == []  # it was delivered twice
    assert answers(calls.approval(asked("a2", "bank"), 7)) == [(False, NOT_APPROVED)]
    assert answers(calls.approval(asked("a3", "stranger"), 7)) == [(False, NOT_APPROVED)]
    calls.rounds.response_done("r")
    assert calls.rounds.take_complete() == ["r"]


def test_a_server_that_needs_the_callers_word_gets_it_after_the_caller_has_spoken() -> None:
    calls = ToolCalls(ToolRules(approvals={"shop": "ask"}))
    assert answers(calls.approval(asked("a1"), 7)) == [(False, ASK_FIRST)]
    assert answers(calls.approval(asked("a2"), 7)) == [(False, ASK_FIRST)]
    calls.caller_spoke()
    assert answers(calls.approval(asked("a3", arguments='{"n": 2}'), 7)) == [(False, ASK_FIRST)]
    assert answers(calls.approval(asked("a4"), 7)) == [(True, None)]


def test_approvals_have_an_end_too() -> None:
    calls = ToolCalls(ToolRules(approvals={"shop": "always"}, calls_a_call=1))
    calls.approval(asked("a1"), 7)
    assert answers(calls.approval(asked("a2"), 7)) == [(False, TOO_MANY)]

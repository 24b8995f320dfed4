"""Open tool calls, their deadlines, late results."""

from voicebridge.call import commands as do
from voicebridge.call.tool_calls import TIMED_OUT, ToolCalls

RUN = do.RunTool("c1", "opening_hours", "{}")
OTHER = do.RunTool("c2", "opening_hours", "{}")


def test_a_call_is_run_once_however_often_it_is_delivered() -> None:
    calls = ToolCalls(10)
    assert calls.called("r", RUN, 0.0) == [RUN]
    assert calls.called("r", RUN, 0.0) == []
    calls.finished("c1", "ok", True, 5)
    assert calls.called("r", RUN, 0.0) == []


def test_a_response_is_answered_once_all_its_outputs_are_in_and_it_is_done() -> None:
    calls = ToolCalls(10)
    calls.called("r", RUN, 0.0)
    calls.called("r", OTHER, 0.0)
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
    calls = ToolCalls(10)
    calls.called("r", RUN, 0.0)
    calls.finished("c1", "ok", True, 5)
    assert calls.take_complete() == []
    calls.response_done("r")
    assert calls.take_complete() == ["r"]


def test_a_call_past_its_deadline_is_answered_and_its_late_result_dropped() -> None:
    calls = ToolCalls(10)
    calls.called("r", RUN, 0.0)
    calls.called("r", OTHER, 4.0)
    assert calls.deadline == 10.0
    out = calls.expire(10.0, 99)
    assert out[:2] == [do.CancelTool("c1"), do.SendToolOutput("c1", TIMED_OUT)]
    assert calls.deadline == 14.0
    assert calls.finished("c1", "too late", True, 100) == []


def test_the_end_of_the_call_stops_every_tool() -> None:
    calls = ToolCalls(10)
    calls.called("r", RUN, 0.0)
    assert calls.cancel_all() == [do.CancelTool("c1")]
    assert not calls.busy
    assert calls.deadline is None


def test_a_response_without_calls_needs_no_answer() -> None:
    calls = ToolCalls(10)
    calls.response_done("r")
    assert calls.take_complete() == []

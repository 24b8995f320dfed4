"""One response at a time; at most one owed."""

from voicebridge.call import commands as do
from voicebridge.call.responses import CREATED_WITHIN_S, HOLD_AFTER_SPEECH_S, Responses


def test_a_request_goes_out_at_once_when_nothing_is_active() -> None:
    responses = Responses()
    assert responses.request(0.0, "greet") == [do.CreateResponse("response-1", "greet")]
    assert not responses.quiet


def test_a_request_during_a_response_goes_out_when_it_is_done() -> None:
    responses = Responses()
    responses.created("r1")
    assert responses.request(0.0) == []
    assert responses.done("r1", 1.0) == [do.CreateResponse("response-1", None)]


def test_at_most_one_is_owed_and_the_last_wish_stands() -> None:
    responses = Responses()
    responses.created("r1")
    responses.request(0.0, "first")
    responses.request(0.0, "second")
    assert responses.done("r1", 1.0) == [do.CreateResponse("response-1", "second")]
    responses.created("r2")
    assert responses.done("r2", 2.0) == []
    assert responses.quiet


def test_a_second_request_waits_while_the_first_is_not_yet_created() -> None:
    responses = Responses()
    responses.request(0.0)
    assert responses.request(0.0) == []


def test_a_response_the_server_made_by_itself_satisfies_what_was_owed() -> None:
    responses = Responses()
    responses.hold()
    assert responses.request(0.0) == []
    responses.created("from-voice-activity")
    assert responses.done("from-voice-activity", 1.0) == []


def test_nothing_is_created_into_the_callers_words() -> None:
    responses = Responses()
    responses.hold()
    assert responses.request(0.0) == []
    assert responses.release(5.0, server_answers=True) == []
    assert responses.deadline == 5.0 + HOLD_AFTER_SPEECH_S
    assert responses.expire(6.0) == [do.CreateResponse("response-1", None)]


def test_where_we_answer_the_hold_ends_at_once() -> None:
    responses = Responses()
    responses.hold()
    responses.request(0.0)
    assert responses.release(5.0, server_answers=False) == [do.CreateResponse("response-1", None)]


def test_a_refused_request_is_paid_after_the_active_one() -> None:
    responses = Responses()
    (create,) = responses.request(0.0)
    assert isinstance(create, do.CreateResponse)
    assert responses.rejected(create.event_id, 0.1)
    responses.active = "other"
    assert responses.done("other", 1.0) == [do.CreateResponse("response-2", None)]


def test_a_refusal_of_something_else_is_none_of_its_business() -> None:
    responses = Responses()
    responses.request(0.0)
    assert not responses.rejected("truncate-1", 0.1)
    assert not responses.rejected(None, 0.1)


def test_a_request_that_nothing_came_of_is_made_again() -> None:
    responses = Responses()
    responses.request(0.0)
    assert responses.deadline == CREATED_WITHIN_S
    assert responses.expire(CREATED_WITHIN_S) == [do.CreateResponse("response-2", None)]


def test_the_end_of_another_response_does_not_free_the_line() -> None:
    responses = Responses()
    responses.created("r1")
    responses.request(0.0)
    assert responses.done("out-of-band", 1.0) == []


def test_stopping_forgets_everything() -> None:
    responses = Responses()
    responses.created("r1")
    responses.request(0.0)
    responses.stop()
    assert responses.quiet
    assert responses.deadline is None


def test_an_answer_to_the_caller_covers_what_was_owed() -> None:
    responses = Responses()
    responses.hold()
    responses.request(0.0, "tell the output")
    assert responses.answer(1.0) == [do.CreateResponse("response-1", None)]
    responses.created("r1")
    assert responses.done("r1", 2.0) == []

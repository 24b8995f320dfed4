"""How a call ends."""

from voicebridge.call import commands as do
from voicebridge.call.ending import AFTER_LAST_MARK_S, Ending
from voicebridge.call.reasons import EndReason


def _ending() -> Ending:
    ending = Ending(max_duration_s=100, silence_s=30, goodbye_s=8)
    ending.started(0.0)
    return ending


def test_a_call_that_has_not_started_has_no_deadline() -> None:
    ending = Ending(max_duration_s=100, silence_s=30, goodbye_s=8)
    assert ending.deadline is None
    assert ending.expired(1e9) is None


def test_it_hangs_up_when_the_last_word_was_heard() -> None:
    ending = _ending()
    ending.leave(EndReason.AGENT_HUNG_UP, 1.0)
    assert ending.check(all_heard=False, now=2.0) == []
    assert ending.check(all_heard=True, now=3.0) == [do.HangUp(EndReason.AGENT_HUNG_UP)]
    assert ending.ended is EndReason.AGENT_HUNG_UP
    assert ending.check(all_heard=True, now=4.0) == []
    assert ending.deadline is None


def test_it_waits_no_longer_than_its_bound() -> None:
    ending = _ending()
    ending.leave(EndReason.AGENT_HUNG_UP, 1.0, unheard_s=2.0)
    assert ending.deadline == 11.0
    assert ending.check(all_heard=False, now=10.9) == []
    assert ending.check(all_heard=False, now=11.0)


def test_a_line_that_plays_slower_than_it_should_is_waited_for_while_it_plays() -> None:
    ending = _ending()
    ending.leave(EndReason.AGENT_HUNG_UP, 1.0)
    ending.last_words(5.0, unheard_s=3.0)
    assert ending.check(all_heard=False, now=10.0, unheard_s=1.0) == []
    assert ending.deadline == 11.0 + AFTER_LAST_MARK_S
    assert ending.check(all_heard=False, now=13.0, unheard_s=0.9)


def test_a_long_goodbye_moves_the_bound() -> None:
    ending = _ending()
    ending.leave(EndReason.AGENT_HUNG_UP, 1.0)
    ending.last_words(5.0, unheard_s=6.0)
    assert ending.deadline == 11.0 + AFTER_LAST_MARK_S


def test_last_words_of_a_call_that_goes_on_bound_nothing() -> None:
    ending = _ending()
    ending.last_words(5.0, unheard_s=6.0)
    assert ending.leaving is None


def test_a_caller_who_speaks_up_keeps_the_line_open() -> None:
    ending = _ending()
    ending.leave(EndReason.AGENT_HUNG_UP, 1.0)
    ending.caller_spoke(2.0)
    assert ending.check(all_heard=True, now=3.0) == []


def test_no_caller_talks_past_the_longest_duration() -> None:
    ending = _ending()
    ending.leave(EndReason.MAX_DURATION, 100.0)
    ending.caller_spoke(101.0)
    assert ending.leaving is EndReason.MAX_DURATION


def test_the_first_reason_stands() -> None:
    ending = _ending()
    ending.leave(EndReason.MODEL_LOST, 1.0)
    ending.leave(EndReason.AGENT_HUNG_UP, 2.0)
    ending.end(EndReason.CALLER_HUNG_UP)
    assert ending.ended is EndReason.MODEL_LOST


def test_silence_is_counted_anew_after_each_word() -> None:
    ending = _ending()
    ending.activity(20.0)
    assert ending.expired(49.9) is None
    assert ending.expired(50.0) is EndReason.SILENCE
    assert ending.prompts == 1
    assert ending.expired(79.9) is None
    assert ending.expired(80.0) is EndReason.SILENCE
    assert ending.prompts == 2


def test_the_longest_duration_comes_before_silence() -> None:
    ending = _ending()
    assert ending.expired(100.0) is EndReason.MAX_DURATION
    ending.leave(EndReason.MAX_DURATION, 100.0)
    assert ending.expired(101.0) is None

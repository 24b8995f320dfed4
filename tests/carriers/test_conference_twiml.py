"""The documents of a warm transfer, judged by the carrier's own package."""

from __future__ import annotations

from xml.etree.ElementTree import canonicalize

import pytest
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from voicebridge.carriers import twilio

URL = "https://bridge.example.com/twilio/colleague?bridge.call=CA1&bridge.attempt=1"
HOSTILE = 'Anna <Hangup/> & "co" ]]> \u00fc \U0001f600\n</Say>'


@pytest.mark.parametrize("words", ["A tooth ache. Press 1.", HOSTILE])
@pytest.mark.parametrize("language", [None, "de-DE"])
def test_who_is_asked_hears_the_words_and_nothing_else(words: str, language: str | None) -> None:
    theirs = VoiceResponse()
    gather = Gather(num_digits=1, timeout=8, action=URL, method="POST")
    gather.say(words, language=language)
    theirs.append(gather)
    theirs.hangup()
    ours = twilio.twiml_ask(words, URL, language=language)
    assert canonicalize(ours) == canonicalize(str(theirs))


@pytest.mark.parametrize("action", [None, URL])
def test_both_are_put_into_the_same_room(action: str | None) -> None:
    theirs = VoiceResponse()
    dial = Dial(action=action, method="POST" if action else None)
    dial.conference(
        "call-CA1", start_conference_on_enter=True, end_conference_on_exit=True, beep="false"
    )
    theirs.append(dial)
    assert canonicalize(twilio.twiml_join("call-CA1", action)) == canonicalize(str(theirs))

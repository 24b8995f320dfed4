"""From a persona to the manners of its calls."""

from __future__ import annotations

from voicebridge.call.manners import BargeIn, Manners
from voicebridge.personas.persona import Persona, ServerVad


def manners_for(persona: Persona) -> Manners:
    """Read how an agent behaves when it is spoken over."""
    wished, heard = persona.barge_in, persona.turn_detection
    greeting = persona.greeting
    return Manners(
        barge_in=BargeIn.PAUSE if wished.mode == "pause" else BargeIn.CUT,
        minimum_speech_ms=wished.minimum_speech_ms,
        decide_within_ms=wished.decide_within_ms,
        # The server counts its padding before and its silence behind as speech.
        overhead_ms=(
            heard.prefix_padding_ms + heard.silence_duration_ms
            if isinstance(heard, ServerVad)
            else 0
        ),
        transcribed=persona.transcription_model is not None,
        echo_gate=wished.echo_gate,
        greeting_protected=greeting is not None and not greeting.interruptible,
    )

"""The first thing an agent says, as instructions for its first response."""

from __future__ import annotations

from voicebridge.personas.outside import NAMES_STAND_FOR_VALUES, names_in
from voicebridge.personas.persona import Persona


def greeting_instructions(persona: Persona) -> str | None:
    """Tell the model how to greet; None if the caller is to speak first."""
    greeting = persona.greeting
    if greeting is None:
        return None
    words = greeting.instructions or ""
    if greeting.say is not None:
        words = f"Greet the caller with exactly these words and nothing else: {greeting.say}"
    # These instructions take the place of the session's own, so they have to explain as much.
    return f"{words}\n{NAMES_STAND_FOR_VALUES}" if names_in(words) else words

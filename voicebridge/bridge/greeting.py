"""The first thing an agent says, as instructions for its first response."""

from __future__ import annotations

from voicebridge.personas.persona import Persona


def greeting_instructions(persona: Persona) -> str | None:
    """Tell the model how to greet; None if the caller is to speak first."""
    greeting = persona.greeting
    if greeting is None:
        return None
    if greeting.say is not None:
        return f"Greet the caller with exactly these words and nothing else: {greeting.say}"
    return greeting.instructions

"""Ids for events and items that we name ourselves."""

from __future__ import annotations

import secrets

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Digits and letters without those that are easily mistaken for another: 0 O I l."""

MAX_ID_LENGTH = 32
"""Longest item id that the server takes (OpenAI Realtime, section 1.5)."""


def generate_id(prefix: str, length: int = MAX_ID_LENGTH) -> str:
    """Make a random id of ``length`` characters in all, prefix included.

    A prefix as long as the id leaves no room for chance and comes back unaltered.
    """
    room = max(0, length - len(prefix))
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(room))

"""The words that were heard: text cut where the audio was cut.

A transcript runs ahead of its audio and carries no times, so the words up to a heard position are
found by the share of the audio that was heard: a word counts as heard when at least half of it
lies within that share of the text.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"\S+\s*")


def split_heard(text: str, heard_ms: int, received_ms: int) -> tuple[str, str]:
    """Split ``text`` into the words heard and the words not heard.

    ``received_ms`` is how long the audio of the whole text lasts; with none of it received,
    nothing was heard.
    """
    if heard_ms <= 0 or received_ms <= 0:
        return "", text.strip()
    if heard_ms >= received_ms:
        return text.strip(), ""
    limit = len(text) * heard_ms / received_ms
    end = 0
    for word in _WORDS.finditer(text):
        if (word.start() + len(word.group().rstrip()) / 2) > limit:
            break
        end = word.end()
    return text[:end].strip(), text[end:].strip()

"""The packaged phrases: what the caller hears when the model cannot speak.

They are mu-law files beside this module, so that they need no voice and no network. Replace one
by a recording of yours: 8000 samples a second, mono, no header.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

WORDS = {
    "one_moment": "One moment, please.",
    "trouble": "I am sorry, we have a technical problem. Please call again a little later.",
}


@cache
def load_phrases() -> Mapping[str, bytes]:
    """Read all phrases: mu-law audio by name."""
    folder = resources.files(__package__) / "spoken"
    return {name: (folder / f"{name}.ulaw").read_bytes() for name in WORDS}

"""The audio formats a session may ask for, to and from the voice's mu-law."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from voicebridge.audio.format import SAMPLE_RATE_HZ

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as voicebridge.audio.g711 explains
    import audioop

_PCM_HZ = 24_000


@dataclass(slots=True)
class Codec:
    """One direction of one session: keeps the resampler's state between two pieces."""

    name: str
    _state: Any = None

    @property
    def sample_bytes(self) -> int:
        """Tell how long one sample is."""
        return 2 if self.name == "audio/pcm" else 1

    @property
    def bytes_per_ms(self) -> int:
        """Tell how many bytes last one millisecond."""
        return 48 if self.name == "audio/pcm" else 8

    def to_ulaw(self, audio: bytes) -> bytes:
        """Turn the session's format into mu-law; continues where the piece before ended."""
        if self.name == "audio/pcmu":
            return audio
        if self.name == "audio/pcma":
            return audioop.lin2ulaw(audioop.alaw2lin(audio, 2), 2)
        pcm, self._state = audioop.ratecv(audio, 2, 1, _PCM_HZ, SAMPLE_RATE_HZ, self._state)
        return audioop.lin2ulaw(pcm, 2)

    def from_ulaw(self, ulaw: bytes) -> bytes:
        """Turn a whole speech into the session's format."""
        if self.name == "audio/pcmu":
            return ulaw
        pcm = audioop.ulaw2lin(ulaw, 2)
        if self.name == "audio/pcma":
            return audioop.lin2alaw(pcm, 2)
        wide = audioop.ratecv(pcm, 2, 1, SAMPLE_RATE_HZ, _PCM_HZ, None)[0]
        return wide + wide[-2:] * ((len(ulaw) * 6 - len(wide)) // 2)  # it stops at the last sample

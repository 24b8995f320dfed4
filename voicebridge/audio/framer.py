"""Any bytes in, whole 20 ms frames out.

The model cuts its audio wherever it likes; a telephone plays 20 ms at a time. The framer holds
back what does not fill a frame until the rest comes or the speech ends.
"""

from __future__ import annotations

from voicebridge.audio.format import FRAME_BYTES, silence


class Framer:
    """Collects bytes and gives them back in order, in multiples of one frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def __len__(self) -> int:
        """Tell how many bytes are held back (0 to 159)."""
        return len(self._rest)

    def push(self, audio: bytes) -> bytes:
        """Take in bytes of any number and return all whole frames there are now."""
        if self._rest:
            audio = self._rest + audio
        whole = len(audio) - len(audio) % FRAME_BYTES
        self._rest = audio[whole:]
        return audio if not self._rest else audio[:whole]

    def flush(self) -> bytes:
        """Return what is held back, filled up with silence to one frame; empty if there is none."""
        if not self._rest:
            return b""
        frame = self._rest + silence(FRAME_BYTES - len(self._rest))
        self._rest = b""
        return frame

    def drop(self) -> None:
        """Forget what is held back."""
        self._rest = b""

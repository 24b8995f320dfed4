"""Tell what the caller heard, one sound after the other: words, keys, tones, packaged phrases.

What is part of something that the model said is known by its bytes. All else is told by ear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicebridge.rehearsal.actions import Sound, SoundKind
from voicebridge.rehearsal.ear import is_audible
from voicebridge.rehearsal.heard_tones import heard_keys, heard_tones
from voicebridge.rehearsal.hearing_truth import HeardItem
from voicebridge.rehearsal.phone import FRAME_BYTES, FRAME_MS
from voicebridge.rehearsal.phone_log import PhoneLog

KEYS_GAP_MS, TONE_GAP_MS, OWN_GAP_MS = 1_500, 500, 500
LEAST_OWN_MS = 100
MARGIN_MS = 40


def heard_sounds(phone: PhoneLog, heard: Sequence[HeardItem]) -> tuple[Sound, ...]:
    """List what the caller heard, in its order."""
    words = [
        Sound("words", int(item.first_played_ms), int(item.last_played_ms), _words(item))
        for item in heard
        if item.first_played_ms is not None and item.last_played_ms is not None and _words(item)
    ]
    audio = bytes(phone.heard_audio)
    keys = _joined(
        "keys", KEYS_GAP_MS, "", ((k.key, k.start_ms, k.end_ms) for k in heard_keys(audio))
    )
    rest = _without(audio, [*words, *keys])
    tones = _joined(
        "tone", TONE_GAP_MS, ", ", ((str(t.hz), t.start_ms, t.end_ms) for t in heard_tones(rest))
    )
    rest = _without(rest, tones)
    own = [
        sound
        for sound in _joined("own", OWN_GAP_MS, "", _audible(rest))
        if sound.end_ms - sound.start_ms >= LEAST_OWN_MS
    ]
    return tuple(sorted((*words, *keys, *tones, *own), key=lambda sound: sound.start_ms))


def _words(item: HeardItem) -> str:
    return item.heard_words if item.is_cut else item.item.text


def _joined(
    kind: SoundKind, gap_ms: int, between: str, parts: Iterable[tuple[str, int, int]]
) -> list[Sound]:
    """Join what follows within ``gap_ms``."""
    joined: list[Sound] = []
    for text, start_ms, end_ms in parts:
        last = joined[-1] if joined else None
        if last is None or start_ms - last.end_ms > gap_ms:
            joined.append(Sound(kind, start_ms, end_ms, text))
            continue
        joined[-1] = Sound(kind, last.start_ms, end_ms, f"{last.text}{between}{text}")
    return joined


def _without(audio: bytes, sounds: Iterable[Sound]) -> bytes:
    """Return audio in which these sounds are silent."""
    left = bytearray(audio)
    for sound in sounds:
        start = max(0, sound.start_ms - MARGIN_MS) * 8
        end = min(len(left), (sound.end_ms + MARGIN_MS) * 8)
        left[start:end] = b"\xff" * max(0, end - start)
    return bytes(left)


def _audible(audio: bytes) -> Iterable[tuple[str, int, int]]:
    for at in range(0, len(audio), FRAME_BYTES):
        if is_audible(audio[at : at + FRAME_BYTES]):
            yield "", at // 8, at // 8 + FRAME_MS

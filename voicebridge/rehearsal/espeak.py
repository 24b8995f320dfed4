"""espeak-ng, the local speech engine, behind one small class.

The library keeps global state, so the process has one engine and one lock. It is loaded from the
``rehearsal`` extra, whose licence (GPL-3) keeps it out of a plain install.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from voicebridge.errors import ConfigError

INSTALL_HINT = "the local voice is not installed: pip install 'voicebridge[rehearsal]'"
LONGEST_DATA_PATH = 100  # espeak-ng builds file names below this one in a buffer of 160 bytes

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000  # without it a data folder that cannot be read ends the whole process
_RATE, _PITCH = 1, 3
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_EVENT_END, _EVENT_WORD = 0, 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak: espeak's voice name (``en-us+f3``), words a minute, pitch 0-99."""

    voice: str
    pace_wpm: int
    pitch: int


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What the engine made: 16-bit samples, and (character offset, ms) where each word begins."""

    pcm: bytes
    rate_hz: int
    word_starts: tuple[tuple[int, int], ...]


class Engine:
    """Speak text as raw samples, one utterance at a time. Get it from :func:`shared_engine`."""

    def __init__(self, library: ctypes.CDLL, data_path: Path) -> None:
        self._library, self._lock = library, threading.Lock()
        self._voices = data_path / "voices" / "!v"
        self._pcm, self._words = bytearray(), list[tuple[int, int]]()
        self._callback = _Callback(self._collect)
        self._rate_hz = int(
            library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data_path), _DONT_EXIT)
        )
        if self._rate_hz <= 0:
            raise ConfigError(f"espeak-ng cannot read its data in {data_path}")
        library.espeak_SetSynthCallback(self._callback)

    def has_variant(self, variant: str) -> bool:
        """Tell whether the engine ships this voice variant, such as ``f3``."""
        return bool(variant) and variant in {path.name for path in self._voices.iterdir()}

    def synthesize(self, text: str, manner: Manner) -> Synthesis:
        """Speak ``text``; raises ConfigError for a voice that does not exist."""
        raw = text.encode()
        with self._lock:
            self._pcm, self._words = bytearray(), []
            if self._library.espeak_SetVoiceByName(manner.voice.encode()) != 0:
                raise ConfigError(f"espeak-ng has no voice named {manner.voice!r}")
            self._library.espeak_SetParameter(_RATE, manner.pace_wpm, 0)
            self._library.espeak_SetParameter(_PITCH, manner.pitch, 0)
            size, flags = ctypes.c_size_t(len(raw) + 1), ctypes.c_uint(_CHARS_UTF8)
            self._library.espeak_Synth(raw, size, 0, _POSITION_CHARACTER, 0, flags, None, None)
            return Synthesis(bytes(self._pcm), self._rate_hz, tuple(self._words))

    def _collect(self, wav: ctypes.Array[ctypes.c_short], samples: int, events: object) -> int:
        if wav and samples > 0:
            self._pcm += ctypes.string_at(wav, samples * 2)
        index = 0
        while (event := events[index]).type != _EVENT_END:  # type: ignore[index]
            if event.type == _EVENT_WORD:
                self._words.append((event.text_position - 1, event.audio_position))
            index += 1
        return 0


def short_path(data_path: Path) -> Path:
    """Give a path to the same folder that fits espeak's buffer; a link in a temporary folder."""
    if len(os.fsencode(data_path)) <= LONGEST_DATA_PATH:
        return data_path
    folder = Path(tempfile.mkdtemp(prefix="vb-"))
    if len(os.fsencode(folder)) > LONGEST_DATA_PATH - 2:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="vb-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / "d"
    link.symlink_to(data_path, target_is_directory=True)
    return link


def shared_engine() -> Engine:
    """Load the engine once; raises ConfigError when the extra is missing or cannot be loaded.

    The library keeps its state in globals: two engines, from two threads, would crash the process.
    """
    with _LOADING:
        return _load_engine()


@lru_cache(maxsize=1)
def _load_engine() -> Engine:
    try:
        import espeakng_loader
    except ImportError as error:
        raise ConfigError(INSTALL_HINT) from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = Path(espeakng_loader.get_data_path())
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"espeak-ng cannot be loaded: {error}") from error
    return Engine(library, short_path(data_path))

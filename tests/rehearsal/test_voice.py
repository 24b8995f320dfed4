from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_BYTES
from voicebridge.errors import ConfigError
from voicebridge.rehearsal import espeak, telephone_band
from voicebridge.rehearsal.voice import CACHED_SPEECHES, Speech, Voice

SENTENCE = "Harbour Dental, good morning. How can I help you?"


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice(variant="f3")


@pytest.fixture(scope="module")
def speech(voice: Voice) -> Speech:
    return voice.speak(SENTENCE)


def samples(speech: Speech) -> np.ndarray:
    return np.frombuffer(g711.decode(speech.audio), dtype="<i2").astype(float)


def test_speech_is_whole_frames_of_a_plausible_length(speech: Speech) -> None:
    assert len(speech.audio) % FRAME_BYTES == 0
    assert 2_000 < speech.duration_ms < 4_500
    assert speech.text == SENTENCE


def test_every_word_has_its_span_in_order_without_gaps(speech: Speech) -> None:
    assert [word.text for word in speech.words] == SENTENCE.split()
    assert speech.words[0].start_ms < 60
    assert speech.words[-1].end_ms == speech.duration_ms
    for word, following in zip(speech.words, speech.words[1:], strict=False):
        assert word.start_ms < word.end_ms == following.start_ms


def test_word_times_fall_where_the_sound_is(voice: Voice) -> None:
    paused = voice.speak("One. Two.")
    loud = np.abs(samples(paused)) > 1_000
    second = paused.words[1].start_ms
    assert not loud[(second - 100) * 8 : (second - 20) * 8].any()
    assert loud[second * 8 : (second + 150) * 8].any()


def test_the_level_is_six_decibels_below_full_scale(speech: Speech) -> None:
    assert 15_500 < np.abs(samples(speech)).max() < 17_000


def test_at_most_forty_milliseconds_of_silence_are_left_at_the_ends(speech: Speech) -> None:
    loud = np.flatnonzero(np.abs(samples(speech)) > 170)
    assert loud[0] <= 40 * 8
    assert len(speech.audio) - loud[-1] <= 41 * 8


def test_the_speech_begins_and_ends_without_a_click(speech: Speech) -> None:
    sound = np.abs(samples(speech))
    assert sound[0] == 0
    assert sound[-1] < 50


def test_a_text_without_words_is_no_audio(voice: Voice) -> None:
    assert voice.speak("") == Speech("", b"", ())
    assert voice.speak("...").audio == b""


def test_a_dash_gets_no_time_of_its_own(voice: Voice) -> None:
    words = voice.speak("on Saturday — until noon").words
    dash = words[2]
    assert (dash.text, dash.start_ms) == ("—", dash.end_ms)
    assert words[3].start_ms == dash.end_ms > words[1].start_ms


def test_clock_times_are_said_as_people_say_them(voice: Voice) -> None:
    def length(text: str) -> int:
        return voice.speak(text).duration_ms

    assert abs(length("at 9:00") - length("at 9 o'clock")) <= 20
    assert abs(length("at 13:00") - length("at 1 p m")) <= 20
    assert abs(length("at 9:05") - length("at 9 oh 5")) <= 20
    assert abs(length("at 17:30") - length("at 5 30 p m")) <= 20
    assert [word.text for word in voice.speak("from 9:00 to 13:00.").words][1] == "9:00"


def test_a_faster_pace_is_shorter_and_another_variant_is_another_voice(speech: Speech) -> None:
    assert Voice(variant="f3", pace_wpm=260).speak(SENTENCE).duration_ms < speech.duration_ms - 400
    assert Voice(variant="m3").speak(SENTENCE).audio != speech.audio


def test_the_same_text_is_spoken_once_and_the_oldest_is_forgotten() -> None:
    voice = Voice()
    first, second = voice.speak("first"), voice.speak("second")
    for number in range(CACHED_SPEECHES - 1):
        voice.speak("." * (number + 1))
    assert voice.speak("second") is second
    assert voice.speak("first") is not first


def test_many_threads_speak_at_once_without_mixing_their_words(voice: Voice) -> None:
    together = threading.Barrier(8)

    def speak(number: int) -> int:
        together.wait(timeout=5)
        return voice.speak(" ".join(["word"] * (number + 2))).duration_ms

    with ThreadPoolExecutor(8) as pool:
        lengths_ms = list(pool.map(speak, range(8)))
    assert lengths_ms == sorted(lengths_ms)
    assert lengths_ms[0] + 1000 < lengths_ms[-1]


@pytest.mark.parametrize("options", [{"variant": "zz9"}, {"language": "xx-none"}])
def test_an_unknown_voice_is_a_config_error(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"zz9|xx-none"):
        Voice(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("module", ["numpy", "espeakng_loader"])
def test_a_missing_extra_says_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(espeak, "_load_engine", espeak._load_engine.__wrapped__)
    with pytest.raises(ConfigError, match=r"voicebridge\[rehearsal\]"):
        Voice()


def test_a_long_data_path_is_reached_by_a_short_link(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    (deep / "phontab").write_text("here")
    link = espeak.short_path(deep)
    assert len(os.fsencode(link)) <= espeak.LONGEST_DATA_PATH
    assert (link / "phontab").read_text() == "here"
    assert espeak.short_path(Path("/short")) == Path("/short")


def test_a_data_folder_that_cannot_be_read_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    program = (
        "import ctypes, espeakng_loader, pathlib\n"
        "from voicebridge.errors import ConfigError\n"
        "from voicebridge.rehearsal.espeak import Engine\n"
        "library = ctypes.CDLL(espeakng_loader.get_library_path())\n"
        "try:\n"
        f"    Engine(library, pathlib.Path({str(tmp_path)!r}))\n"
        "except ConfigError as error:\n"
        "    print('refused:', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.startswith("refused: espeak-ng cannot read its data")
    assert done.returncode == 0


@pytest.mark.parametrize("hz", [300, 1_000, 3_000])
def test_resampling_leaves_the_telephone_band_as_it_is(hz: int) -> None:
    second = np.sin(2 * np.pi * hz * np.arange(22_050) / 22_050).astype(np.float32)
    wanted = np.sin(2 * np.pi * hz * np.arange(8_000) / 8_000)
    error = np.abs(telephone_band.resample(second, 22_050) - wanted)[200:-200]
    assert error.max() < 0.01


@pytest.mark.parametrize("hz", [4_300, 5_000, 7_000, 10_000])
def test_resampling_folds_nothing_back_into_the_band(hz: int) -> None:
    second = np.sin(2 * np.pi * hz * np.arange(22_050) / 22_050).astype(np.float32)
    assert np.abs(telephone_band.resample(second, 22_050)[200:-200]).max() < 0.003


def test_audio_at_the_telephone_rate_is_not_touched() -> None:
    second = np.zeros(8_000, dtype=np.float32)
    assert telephone_band.resample(second, 8_000) is second

"""The caller's turns: the input buffer, what the turn detection hears in it, the user's items."""

from __future__ import annotations

import binascii
import time

from voicebridge.rehearsal.client_events import ResponseParams
from voicebridge.rehearsal.codecs import Codec
from voicebridge.rehearsal.conversation import USER_MS_PER_TOKEN, Item, Json
from voicebridge.rehearsal.idle import IdleClock
from voicebridge.rehearsal.refusals import RefusedError
from voicebridge.rehearsal.responder import Responder
from voicebridge.rehearsal.session_config import SemanticVad, ServerVad
from voicebridge.rehearsal.session_log import SpeechSpan
from voicebridge.rehearsal.session_state import SessionState, new_id
from voicebridge.rehearsal.vad import SpeechStarted, SpeechStopped, Vad, VadSettings

LONGEST_APPEND_BYTES = 15 * 2**20
SHORTEST_COMMIT_MS = 100
EAGERNESS_SILENCE_MS = {"low": 1_000, "medium": 600, "high": 300, "auto": 600}


class Turns:
    """Take in the caller's audio; gives the responder its cue."""

    def __init__(self, state: SessionState, responder: Responder) -> None:
        self._state, self._responder = state, responder
        self._codec = Codec(state.config.audio.input.format.type)
        self._vad = Vad(VadSettings())
        self._appended_ms = 0.0
        self._buffer_start_ms = 0.0
        self._span: SpeechSpan | None = None
        self._idle = IdleClock()

    def configure(self) -> None:
        """Follow the session's configuration after an update."""
        audio = self._state.config.audio.input
        if audio.format.type != self._codec.name:
            self._codec = Codec(audio.format.type)
        match audio.turn_detection:
            case ServerVad() as vad:
                self._vad.settings = VadSettings(
                    vad.threshold, vad.prefix_padding_ms, vad.silence_duration_ms
                )
            case SemanticVad() as vad:
                silence_ms = EAGERNESS_SILENCE_MS[vad.eagerness]
                self._vad.settings = VadSettings(silence_duration_ms=silence_ms)
            case None:
                self._forget_speech()

    def append(self, payload: object) -> None:
        """Take in base64 audio; raises RefusedError for what is none."""
        audio = self._decoded(payload)
        self._state.log.appended += audio
        self._state.log.append_count += 1
        self._appended_ms += len(audio) / self._codec.bytes_per_ms
        heard = self._vad.feed(self._codec.to_ulaw(audio))
        if self._state.config.audio.input.turn_detection is None:
            self._vad.reset()
            return
        for event in heard:
            if isinstance(event, SpeechStarted):
                self._started(event)
            else:
                self._stopped(event)
        self._watch_idleness()

    def commit(self) -> None:
        """Make a user item of what is in the buffer, without a response."""
        length_ms = self._appended_ms - self._buffer_start_ms
        if length_ms < SHORTEST_COMMIT_MS:
            raise RefusedError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"100ms of audio, but buffer only has {length_ms:.2f}ms of audio.",
            )
        item_id = self._span.item_id if self._span else new_id("item")
        self._forget_speech()
        self._make_item(item_id, int(length_ms))
        self._buffer_start_ms = self._appended_ms

    def clear(self) -> None:
        """Empty the buffer."""
        self._forget_speech()
        self._buffer_start_ms = self._appended_ms
        self._emit("input_audio_buffer.cleared")

    def _decoded(self, payload: object) -> bytes:
        if not isinstance(payload, str):
            given = type(payload).__name__
            message = f"Invalid type for 'audio': expected a string, but got {given} instead."
            raise RefusedError("invalid_type", message, "audio")
        try:
            audio = binascii.a2b_base64(payload, strict_mode=True)
        except (binascii.Error, ValueError):
            message = "Invalid 'audio'. Expected base64-encoded audio bytes."
            raise RefusedError("invalid_value", message, "audio") from None
        if len(audio) > LONGEST_APPEND_BYTES:
            message = "Invalid 'audio': more than 15 MiB of audio in one event."
            raise RefusedError("string_above_max_length", message, "audio")
        if len(audio) % self._codec.sample_bytes:
            message = "Invalid 'audio'. Expected whole samples."
            raise RefusedError("invalid_value", message, "audio")
        return audio

    def _forget_speech(self) -> None:
        self._vad.reset()
        self._span = None

    def _started(self, event: SpeechStarted) -> None:
        state = self._state
        span = SpeechSpan(time.monotonic(), event.audio_start_ms, new_id("item"))
        self._span = span
        self._idle.stop()
        state.log.speech.append(span)

        def written(at: float) -> None:
            span.started_at = at

        start = {"audio_start_ms": span.audio_start_ms, "item_id": span.item_id}
        state.outbox.emit({"type": "input_audio_buffer.speech_started", **start}, written)
        state.note("speech_started", f"at {span.audio_start_ms} ms of audio")
        detection = state.config.audio.input.turn_detection
        if detection is not None and detection.interrupt_response:
            self._responder.interrupt()

    def _stopped(self, event: SpeechStopped) -> None:
        span, self._span = self._span, None
        if span is None:
            return
        span.stopped_at, span.audio_end_ms = time.monotonic(), event.audio_end_ms
        end = {"audio_end_ms": event.audio_end_ms, "item_id": span.item_id}
        self._emit("input_audio_buffer.speech_stopped", **end)
        self._state.note("speech_stopped", f"at {event.audio_end_ms} ms of audio")
        detection = self._state.config.audio.input.turn_detection
        self._make_item(
            span.item_id,
            event.audio_end_ms - span.audio_start_ms,
            respond=detection is not None and detection.create_response,
        )
        self._buffer_start_ms = event.audio_end_ms

    def _watch_idleness(self) -> None:
        """Prompt the caller when the session wants that, by a turn of silence."""
        detection, latest = self._state.config.audio.input.turn_detection, self._responder.latest
        if not isinstance(detection, ServerVad) or detection.idle_timeout_ms is None:
            return
        if latest is None or not latest.over or self._vad.speaking:
            return
        quiet_ms = latest.spoken_ms + detection.idle_timeout_ms
        if not self._idle.is_due(latest.made.response_id, quiet_ms, self._appended_ms):
            return
        item_id, start, end = new_id("item"), int(self._buffer_start_ms), int(self._appended_ms)
        place = {"audio_start_ms": start, "audio_end_ms": end}
        self._emit("input_audio_buffer.timeout_triggered", **place, item_id=item_id)
        self._buffer_start_ms = self._appended_ms
        self._commit_item(item_id, end - start)
        self._responder.start(ResponseParams())

    def _make_item(self, item_id: str, audio_ms: int, *, respond: bool = False) -> None:
        """Commit what the caller said, answer if asked to, and write down the words."""
        item = self._commit_item(item_id, audio_ms)
        if respond and self._responder.active is None:
            self._responder.start(ResponseParams())
        words = self._state.script.next_line()
        if self._state.config.audio.input.transcription is not None:
            self._transcribe(item, words)

    def _commit_item(self, item_id: str, audio_ms: int) -> Item:
        state = self._state
        body = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        item = Item(item_id, body, audio_ms=audio_ms, spoken_by="user")
        previous = state.conversation.add(item)
        place = {"previous_item_id": previous}
        self._emit("input_audio_buffer.committed", **place, item_id=item_id)
        self._emit("conversation.item.added", **place, item=item.on_the_wire())
        self._emit("conversation.item.done", **place, item=item.on_the_wire())
        return item

    def _transcribe(self, item: Item, words: str | None) -> None:
        where: Json = {"item_id": item.item_id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        if words is None:
            message = "The script does not say what the caller said here."
            error = {"type": "transcription_error", "code": "no_script", "message": message}
            self._emit(f"{kind}.failed", **where, error={**error, "param": None})
            return
        for index, word in enumerate(words.split()):
            self._emit(f"{kind}.delta", **where, delta=f" {word}" if index else word)
        item.body["content"] = [{"type": "input_audio", "transcript": words}]
        tokens_in, tokens_out = -(-item.audio_ms // USER_MS_PER_TOKEN), len(words.split())
        usage = {
            "type": "tokens",
            "total_tokens": tokens_in + tokens_out,
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "input_token_details": {"text_tokens": 0, "audio_tokens": tokens_in},
        }
        self._emit(f"{kind}.completed", **where, transcript=words, usage=usage)

    def _emit(self, event_type: str, **fields: object) -> None:
        self._state.outbox.emit({"type": event_type, **fields})

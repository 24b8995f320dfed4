"""Measure a call from its two logs: how long things took, and whether frames were lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicebridge.rehearsal.hearing_truth import HeardItem
from voicebridge.rehearsal.phone_log import CallerSpeech, Clear, PhoneLog
from voicebridge.rehearsal.session_log import SessionLog

FRAME_BYTES = 160
RESYNC_FRAMES = 250
CLEAR_FOLLOWS_SPEECH_S = 2.0
STILL_TALKING_S = 1.0


def first_audio_ms(phone: PhoneLog) -> float | None:
    """Measure from the open media stream to the first byte of the agent that was played."""
    if phone.connected_at is None or phone.first_agent_audio_at is None:
        return None
    return (phone.first_agent_audio_at - phone.connected_at) * 1000


def answer_delays_ms(phone: PhoneLog) -> list[float]:
    """Measure from the end of what the caller said to the agent's next audio at the ear.

    Speech that the agent never answered, or into which it still spoke, has no answer delay.
    """
    delays: list[float] = []
    for number, speech in enumerate(phone.caller_speech):
        if speech.end_ms is None or _agent_playing(phone, speech.end_ms):
            continue
        following = phone.caller_speech[number + 1 :]
        next_speech_ms = following[0].start_ms if following else float("inf")
        starts = (span.carrier_ms for span in phone.played if span.carrier_ms >= speech.end_ms)
        start_ms = next(starts, None)
        if start_ms is not None and start_ms < next_speech_ms:
            delays.append(float(start_ms - speech.end_ms))
    return delays


def silenced_after_ms(phone: PhoneLog) -> list[float]:
    """Measure each barge-in: from the caller's first sound to the agent's last, at the phone."""
    barge_ins = (speech for speech in phone.caller_speech if _agent_playing(phone, speech.start_ms))
    return [_agent_silent_ms(phone, speech) - speech.start_ms for speech in barge_ins]


def _agent_playing(phone: PhoneLog, at_ms: int) -> bool:
    return any(span.carrier_ms <= at_ms < span.end_ms for span in phone.played)


def _agent_silent_ms(phone: PhoneLog, speech: CallerSpeech) -> int:
    """Tell when the agent fell silent: by a clear, or where its audio next ran out."""
    running = (span for span in phone.played if span.end_ms > speech.start_ms)
    end_ms = next(running).end_ms
    clears = (clear.carrier_ms for clear in phone.clears if clear.carrier_ms >= speech.start_ms)
    return min(next(clears, end_ms), end_ms)


def clear_delays_ms(phone: PhoneLog, model: SessionLog) -> list[float]:
    """Measure from the server's ``speech_started`` to the ``clear`` that followed it on the wire.

    Both are taken where they leave or reach a socket of the rehearsal, so the simulated network
    has no part in it.
    """
    return [
        (clear.arrived_at - started_at) * 1000
        for clear in phone.clears
        if (started_at := _speech_before(clear, model)) is not None
    ]


def _speech_before(clear: Clear, model: SessionLog) -> float | None:
    earlier = [span.started_at for span in model.speech if span.started_at <= clear.arrived_at]
    if not earlier or clear.arrived_at - earlier[-1] > CLEAR_FOLLOWS_SPEECH_S:
        return None
    return earlier[-1]


class FramesToModel(NamedTuple):
    """The caller's frames on their way: lost between others, or under way at the hang-up."""

    lost: int
    altered: int
    in_flight: int


def frames_to_model(phone: PhoneLog, model: SessionLog) -> FramesToModel:
    """Compare what the caller sent with what was appended to the model's buffer, byte by byte.

    Where each of several streams had a session of its own, each is compared with its own.
    """
    sent, appended = bytes(phone.sent_audio), bytes(model.appended)
    if len(model.starts) != len(phone.streams) or len(model.starts) < 2:
        return _compared(sent, appended)
    cuts = [stream.carrier_ms * 8 for stream in phone.streams[1:]]
    pairs = zip(_parts(sent, cuts), _parts(appended, model.starts[1:]), strict=True)
    lost, altered, in_flight = zip(*(_compared(*pair) for pair in pairs), strict=True)
    return FramesToModel(sum(lost), sum(altered), sum(in_flight))


def _parts(audio: bytes, cuts: Sequence[int]) -> list[bytes]:
    return [audio[a:b] for a, b in zip([0, *cuts], [*cuts, len(audio)], strict=True)]


def _compared(sent: bytes, appended: bytes) -> FramesToModel:
    if sent.startswith(appended):
        return FramesToModel(0, 0, -(-(len(sent) - len(appended)) // FRAME_BYTES))
    ours, theirs = _frames(sent), _frames(appended)
    lost = altered = place = 0
    for frame in theirs:
        window = ours[place : place + RESYNC_FRAMES]
        if frame in window:
            skipped = window.index(frame)
            lost += skipped
            place += skipped + 1
        else:
            altered += 1
            place += 1
    return FramesToModel(lost, altered, max(0, len(ours) - place))


def _frames(audio: bytes) -> list[bytes]:
    return [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]


def frames_to_caller_lost(heard: Sequence[HeardItem], phone: PhoneLog, model: SessionLog) -> int:
    """Count frames of uncut items that did not reach the phone, or not in order.

    What the model was still sending when the call ended is not counted.
    """
    lost_bytes, furthest = 0, -1
    for item in heard:
        if item.is_cut or _still_talking_at_the_end(item, phone, model):
            continue
        covered = sum(piece.nbytes for piece in item.pieces)
        begins = item.pieces[0].received_offset if item.pieces else furthest
        in_order = begins >= furthest and _ascending(item)
        lost_bytes += max(0, item.item.sent_bytes - covered) if in_order else item.item.sent_bytes
        furthest = max(furthest, begins)
    return -(-lost_bytes // FRAME_BYTES)


def _ascending(item: HeardItem) -> bool:
    ends = [piece.item_offset for piece in item.pieces]
    return ends == sorted(ends)


def _still_talking_at_the_end(item: HeardItem, phone: PhoneLog, model: SessionLog) -> bool:
    response = next((r for r in model.responses if r.response_id == item.item.response_id), None)
    if response is None or response.done_at is None or phone.ended_at is None:
        return True
    return response.done_at > phone.ended_at - STILL_TALKING_S


def unheard_at_close_ms(phone: PhoneLog) -> float:
    """Tell how much of the agent was still queued at the phone when the stream ended."""
    return sum(lost.dropped_bytes for lost in phone.lost_at_close) / 8

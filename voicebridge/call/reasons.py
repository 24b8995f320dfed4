"""Why a call ended: the closed list. Every record is closed with exactly one of these."""

from __future__ import annotations

from enum import StrEnum


class EndReason(StrEnum):
    """The one reason a call ended."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    TRANSFERRED = "transferred"
    SILENCE = "silence"
    MAX_DURATION = "max_duration"
    SPEND_LIMIT = "spend_limit"
    """The call, or all calls of the hour or day, cost as much as they may."""
    VOICEMAIL = "voicemail"
    """A machine took an outbound call, and our message was left on it."""
    CARRIER_LOST = "carrier_lost"
    """The media stream broke off without a stop."""
    CARRIER_FAULT = "carrier_fault"
    """The carrier broke its own protocol in a way that ends the stream."""
    MODEL_UNREACHABLE = "model_unreachable"
    """No connection: refused, timed out, rate limited, wrong key."""
    MODEL_MISMATCH = "model_mismatch"
    """The session came back with other settings than asked for."""
    MODEL_LOST = "model_lost"
    """The connection broke in mid-call."""
    SHUTDOWN = "shutdown"
    BRIDGE_FAULT = "bridge_fault"
    """A fault of our own."""

"""Where the carrier finds us: the paths of the front door."""

from __future__ import annotations

VOICE_PATH = "/twilio/voice"
AFTER_PATH = "/twilio/after-stream"
DIAL_DONE_PATH = "/twilio/dial-done"
MEDIA_PATH = "/twilio/media"
STATUS_PATH = "/twilio/status"
STREAM_STATUS_PATH = "/twilio/stream-status"
AMD_PATH = "/twilio/amd"
COLLEAGUE_PATH = "/twilio/colleague"
COLLEAGUE_STATUS_PATH = "/twilio/colleague-status"
CALLS_PATH = "/calls"

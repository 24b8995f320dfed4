"""The events we send (OpenAI Realtime, section 2.1). All may carry an ``event_id`` of ours, which
the server names again in the error that such an event causes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel

from voicebridge.realtime.items import Item
from voicebridge.realtime.responses import ResponseCreateParams
from voicebridge.realtime.session import AnySession
from voicebridge.realtime.wire import WIRE, Int


class ClientEventType(StrEnum):
    """The wire names of the client events."""

    SESSION_UPDATE = "session.update"
    INPUT_AUDIO_BUFFER_APPEND = "input_audio_buffer.append"
    INPUT_AUDIO_BUFFER_COMMIT = "input_audio_buffer.commit"
    INPUT_AUDIO_BUFFER_CLEAR = "input_audio_buffer.clear"
    OUTPUT_AUDIO_BUFFER_CLEAR = "output_audio_buffer.clear"
    CONVERSATION_ITEM_CREATE = "conversation.item.create"
    CONVERSATION_ITEM_RETRIEVE = "conversation.item.retrieve"
    CONVERSATION_ITEM_TRUNCATE = "conversation.item.truncate"
    CONVERSATION_ITEM_DELETE = "conversation.item.delete"
    RESPONSE_CREATE = "response.create"
    RESPONSE_CANCEL = "response.cancel"


class ClientEvent(BaseModel):
    """Base of the events we send."""

    model_config = WIRE

    type: str
    event_id: str | None = None


class SessionUpdateEvent(ClientEvent):
    """Change the session; only the fields that are set change."""

    type: Literal["session.update"] = "session.update"
    session: AnySession


class InputAudioBufferAppendEvent(ClientEvent):
    """Give the model audio: base64 text of raw samples. ``Conn.append_audio`` is the faster way."""

    type: Literal["input_audio_buffer.append"] = "input_audio_buffer.append"
    audio: str


class InputAudioBufferCommitEvent(ClientEvent):
    """Make a user message of the buffer; for sessions without turn detection."""

    type: Literal["input_audio_buffer.commit"] = "input_audio_buffer.commit"


class InputAudioBufferClearEvent(ClientEvent):
    """Throw the buffer away."""

    type: Literal["input_audio_buffer.clear"] = "input_audio_buffer.clear"


class OutputAudioBufferClearEvent(ClientEvent):
    """Stop the server's playout; on WebRTC and SIP only."""

    type: Literal["output_audio_buffer.clear"] = "output_audio_buffer.clear"


class ConversationItemCreateEvent(ClientEvent):
    """Add an item, at the end or after ``previous_item_id`` (``"root"`` for the beginning)."""

    type: Literal["conversation.item.create"] = "conversation.item.create"
    item: Item
    previous_item_id: str | None = None


class ConversationItemRetrieveEvent(ClientEvent):
    """Ask for an item as the server has it."""

    type: Literal["conversation.item.retrieve"] = "conversation.item.retrieve"
    item_id: str


class ConversationItemTruncateEvent(ClientEvent):
    """Cut an assistant's audio item at what was heard; its transcript goes (section 6)."""

    type: Literal["conversation.item.truncate"] = "conversation.item.truncate"
    item_id: str
    content_index: Int
    audio_end_ms: Int


class ConversationItemDeleteEvent(ClientEvent):
    """Take an item out of the conversation."""

    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    item_id: str


class ResponseCreateEvent(ClientEvent):
    """Have the model answer now; refused while a response is active (section 7)."""

    type: Literal["response.create"] = "response.create"
    response: ResponseCreateParams | None = None


class ResponseCancelEvent(ClientEvent):
    """Stop a response, the active one of the conversation if none is named."""

    type: Literal["response.cancel"] = "response.cancel"
    response_id: str | None = None


CLIENT_EVENTS: dict[str, type[ClientEvent]] = {
    event.model_fields["type"].default: event for event in ClientEvent.__subclasses__()
}

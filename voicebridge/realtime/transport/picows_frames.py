"""What picows hands us, frame by frame, made into whole messages; and the ways to say goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.pongs import Pongs
from voicebridge.realtime.transport.under_way import MOST_UNSENT_BYTES, keep_little_under_way

CLOSE_TIMEOUT_S: Final = 2.0
LARGEST_MESSAGE_BYTES: Final = 64 * 2**20
_KINDS: Final = {WSMsgType.TEXT: MessageType.TEXT, WSMsgType.BINARY: MessageType.BINARY}


class FrameListener(WSListener):
    """One connection's frames; subclasses take the messages and what has come together."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        """None until the handshake has been made, and after the end."""
        self.opened = False
        """Whether the handshake was made."""
        self._headers: Mapping[str, str] = {}
        self.deaf = False
        """Whether what comes is thrown away: we have said goodbye."""
        self._send: Callable[[WSMsgType, bytes], None] | None = None
        """How to send at once; None while there is no room, and after the end."""
        self._room = asyncio.Event()
        self._room.set()
        self._pongs = Pongs()
        self._parts: list[bytes] | None = None
        """What has come of a message in several frames; None between messages."""
        self._parts_bytes = 0
        self._kind = MessageType.TEXT
        self._abandoned = False

    # --- for subclasses -----------------------------------------------------------------------

    def arrived(self, kind: MessageType, data: str | bytes) -> None:
        """Take a message."""
        raise NotImplementedError

    def all_arrived(self) -> None:
        """Act on it that no further message has come together with the last."""

    def abandon(self) -> None:
        """Close as soon as there is something to close: nobody has this connection."""
        self._abandoned = True
        if self.transport is not None:
            self.say_goodbye(WSCloseCode.OK)

    def say_goodbye(self, code: WSCloseCode, reason: str = "") -> None:
        """Close from our end and hear no more; what is under way has a little time to leave."""
        if self.deaf or self.transport is None:
            return
        self._send, self.deaf = None, True
        transport = self.transport
        transport.send_close(code, reason)
        transport.disconnect()
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, transport.disconnect, False)

    # --- picows' side -------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport, unless nobody wants it any more."""
        self.transport, self._send = transport, transport.send
        self.opened, self._headers = True, transport.response.headers
        transport.underlying_transport.set_write_buffer_limits(MOST_UNSENT_BYTES)
        keep_little_under_way(transport.underlying_transport.get_extra_info("socket"))
        if self._abandoned:
            self.say_goodbye(WSCloseCode.OK)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        kind = frame.msg_type
        try:
            if kind is WSMsgType.TEXT and frame.fin and self._parts is None:
                self.arrived(MessageType.TEXT, frame.get_payload_as_utf8_text())
            elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
                self._add_part(kind, frame)
            else:
                self._take_control(transport, frame)
        except UnicodeDecodeError:
            self.say_goodbye(WSCloseCode.INVALID_TEXT, "a text that is not UTF-8")
        if frame.last_in_buffer:
            self.all_arrived()

    def pause_writing(self) -> None:
        """Take note that the server does not keep up."""
        self._send = None
        self._room.clear()

    def resume_writing(self) -> None:
        """Take note that it has caught up."""
        if self.transport is not None and not self.deaf:
            self._send = self.transport.send
        self._room.set()

    def is_user_specific_pong(self, frame: WSFrame) -> bool:
        """Leave all pongs to ``on_ws_frame``, which must see the last frame of a buffer."""
        return False

    # --- inside -------------------------------------------------------------------------------

    def _take_control(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.msg_type is WSMsgType.PING:
            transport.send_pong(payload)
        elif frame.msg_type is WSMsgType.PONG:
            if not self._pongs.seen(payload):
                transport.notify_user_specific_pong_received()
        elif self.deaf:
            transport.disconnect()
        else:
            code = frame.get_close_code()
            self.say_goodbye(WSCloseCode.OK if code is WSCloseCode.NO_INFO else code)

    def _add_part(self, kind: WSMsgType, frame: WSFrame) -> None:
        if (kind is WSMsgType.CONTINUATION) is (self._parts is None):
            return self.say_goodbye(WSCloseCode.PROTOCOL_ERROR, "frames of two messages are mixed")
        if self._parts is None:
            self._kind, self._parts, self._parts_bytes = _KINDS[kind], [], 0
        if frame.payload_size:
            self._parts.append(frame.get_payload_as_bytes())
            self._parts_bytes += frame.payload_size
        if self._parts_bytes > LARGEST_MESSAGE_BYTES:
            return self.say_goodbye(WSCloseCode.MESSAGE_TOO_BIG, "a message in too many frames")
        if frame.fin:
            whole, self._parts = b"".join(self._parts), None
            text = self._kind is MessageType.TEXT
            self.arrived(self._kind, whole.decode() if text else whole)
        return None

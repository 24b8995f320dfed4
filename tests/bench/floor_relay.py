"""The floor: what a relay in Python costs that only slices and forwards.

``python tests/bench/floor_relay.py MODEL_URL`` takes media streams and dials the model for each.
It knows no marks, no cuts and no faults; it is not to be used for anything but to be measured
beside. It prints the address it listens on.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import picows
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport

PAYLOAD = b'"payload":"'
STREAM = b'"streamSid":"'
DELTA = b'"delta":"'
UPDATE = (
    b'{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":'
    b'{"type":"audio/pcmu"}},"output":{"format":{"type":"audio/pcmu"}}}}}'
)


class Phone(WSListener):  # type: ignore[misc]
    """The carrier's side."""

    def __init__(self, model_url: str) -> None:
        self.model_url = model_url
        self.transport: WSTransport
        self.model: WSTransport | None = None
        self.stream = b""
        self.held: list[bytes] = []
        self.dialling: asyncio.Task[None] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.dialling = asyncio.create_task(self.dial())

    async def dial(self) -> None:
        context = ssl.create_default_context() if self.model_url.startswith("wss") else None
        transport, _ = await picows.ws_connect(
            lambda: Model(self), self.model_url, ssl_context=context
        )
        transport.send(WSMsgType.TEXT, UPDATE)
        for text in self.held:
            transport.send(WSMsgType.TEXT, text)
        self.model = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            return
        text = frame.get_payload_as_bytes()
        if not text.startswith(b'{"event":"media"'):
            if text.startswith(b'{"event":"start"'):
                at = text.index(STREAM) + len(STREAM)
                self.stream = text[at : text.index(b'"', at)]
            return
        at = text.index(PAYLOAD) + len(PAYLOAD)
        payload = text[at : text.index(b'"', at)]
        append = b'{"type":"input_audio_buffer.append","audio":"' + payload + b'"}'
        if self.model is not None:
            self.model.send(WSMsgType.TEXT, append)
        else:
            self.held.append(append)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.model is not None:
            self.model.disconnect()


class Model(WSListener):  # type: ignore[misc]
    """The model's side."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        text = frame.get_payload_as_bytes()
        phone = self.phone
        if text.startswith(b'{"type":"response.output_audio.delta"'):
            at = text.index(DELTA) + len(DELTA)
            payload = text[at : text.index(b'"', at)]
            media = b'{"event":"media","streamSid":"' + phone.stream
            phone.transport.send(
                WSMsgType.TEXT, media + b'","media":{"payload":"' + payload + b'"}}'
            )
        elif text.startswith(b'{"type":"input_audio_buffer.speech_started"'):
            clear = b'{"event":"clear","streamSid":"' + phone.stream + b'"}'
            phone.transport.send(WSMsgType.TEXT, clear)


async def main(model_url: str) -> None:
    server = await picows.ws_create_server(lambda _request: Phone(model_url), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"floor listens on http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))

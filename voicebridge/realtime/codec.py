"""From wire text to events and back; the place where malformed events are found."""

from __future__ import annotations

from collections.abc import Collection

from pydantic_core import from_json, to_json

from voicebridge.realtime.client_events import ClientEvent
from voicebridge.realtime.dialects import GA, Dialect
from voicebridge.realtime.errors import RealtimeProtocolError
from voicebridge.realtime.server_events import (
    SERVER_EVENTS,
    ResponseOutputAudioDeltaEvent,
    ServerEvent,
    UnknownEvent,
)
from voicebridge.realtime.wire import JsonObject, from_wire, to_wire

_DELTA_FIELDS = frozenset(
    {"type", "event_id", "response_id", "item_id", "output_index", "content_index", "delta"}
)


def marshal_client_event(
    event: ClientEvent, dialect: Dialect = GA, *, strict: bool = True
) -> bytes:
    """Write a client event as JSON in a dialect.

    ``strict`` refuses what that dialect's server would refuse: raises ``UnsupportedParameter``.
    """
    wire = client_event_to_wire(event)
    if strict:
        dialect.check(wire)
    return _written(dialect.encode_client(wire))


def unmarshal_server_event(
    data: bytes | str, dialect: Dialect = GA, *, only: Collection[str] | None = None
) -> ServerEvent:
    """Read a server event from JSON in a dialect.

    Raises ``RealtimeProtocolError`` for anything that is not a well-formed event; an unknown type
    is not malformed but an ``UnknownEvent``. So is one whose GA type is not in ``only``: nothing
    but its type has been looked at then.
    """
    raw = _json_object(data)
    kind = raw.get("type")
    if type(kind) is not str:
        raise RealtimeProtocolError("an event without a type", field="type")
    if kind in (dialect.audio_delta, ResponseOutputAudioDeltaEvent.type):
        return _audio_delta(raw)
    event = dialect.decode_server(raw)
    model = SERVER_EVENTS.get(event["type"])
    if model is None or (only is not None and event["type"] not in only):
        return UnknownEvent(kind, raw)
    return from_wire(model, event, event_type=event["type"])


def marshal_server_event(event: ServerEvent, dialect: Dialect = GA) -> bytes:
    """Write a server event as JSON in a dialect: for proxies, recordings and test servers."""
    if isinstance(event, UnknownEvent):
        return _written(event.raw)
    if isinstance(event, ResponseOutputAudioDeltaEvent):
        return _written(dialect.encode_server(_audio_delta_to_wire(event)))
    return _written(dialect.encode_server({"type": event.type, **to_wire(event)}))


def client_event_to_wire(event: ClientEvent) -> JsonObject:
    """Turn a client event into JSON types, in the GA dialect."""
    return {"type": event.type, **to_wire(event)}


def _written(wire: JsonObject) -> bytes:
    # A number too large for a float is read as infinity, which JSON has no word for.
    return to_json(wire, inf_nan_mode="null")


def _json_object(data: bytes | str) -> JsonObject:
    try:
        raw = from_json(data, allow_inf_nan=False)
    except (ValueError, TypeError) as error:  # TypeError: text that UTF-8 cannot hold
        raise RealtimeProtocolError(f"not JSON: {error}") from error
    if type(raw) is not dict:
        raise RealtimeProtocolError(f"an event is a JSON object, not {type(raw).__name__}")
    return raw


def _audio_delta(raw: JsonObject) -> ResponseOutputAudioDeltaEvent:
    event = ResponseOutputAudioDeltaEvent(
        raw.get("response_id"),  # type: ignore[arg-type]  # checked below, all at once
        raw.get("item_id"),  # type: ignore[arg-type]
        raw.get("output_index", 0),
        raw.get("content_index", 0),
        raw.get("delta"),  # type: ignore[arg-type]
        raw.get("event_id"),
    )
    if not (
        type(event.delta) is str
        and type(event.item_id) is str
        and type(event.response_id) is str
        and type(event.output_index) is int
        and type(event.content_index) is int
        and (event.event_id is None or type(event.event_id) is str)
    ):
        raise _malformed_delta(event, raw["type"])
    if len(raw) > len(_DELTA_FIELDS) or not raw.keys() <= _DELTA_FIELDS:
        event.extra = {key: raw[key] for key in raw.keys() - _DELTA_FIELDS} or None
    return event


def _malformed_delta(event: ResponseOutputAudioDeltaEvent, kind: str) -> RealtimeProtocolError:
    wanted = {"delta": str, "item_id": str, "response_id": str, "output_index": int}
    wanted |= {"content_index": int, "event_id": str}
    field = next(name for name, type_ in wanted.items() if type(getattr(event, name)) is not type_)
    message = f"{kind}: {field} must be {wanted[field].__name__}"
    return RealtimeProtocolError(message, event_type=kind, field=field)


def _audio_delta_to_wire(event: ResponseOutputAudioDeltaEvent) -> JsonObject:
    wire: JsonObject = {
        "type": event.type,
        "event_id": event.event_id,
        "response_id": event.response_id,
        "item_id": event.item_id,
        "output_index": event.output_index,
        "content_index": event.content_index,
        "delta": event.delta,
        **(event.extra or {}),
    }
    if event.event_id is None:
        del wire["event_id"]
    return wire

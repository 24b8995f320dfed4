"""Judge events by the vendor's own models: they must fit, and know every field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent, RealtimeSessionCreateResponse
from pydantic import BaseModel, TypeAdapter

GA: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
BETA: TypeAdapter[Any] = TypeAdapter(BetaServerEvent)

SERVER_SIDE_OF_A_SESSION = ("id", "object", "expires_at")
"""The event's model shares the client's session type; the vendor types these in the response."""


def complaints(event: dict[str, Any], models: TypeAdapter[Any]) -> list[str]:
    """Name every place where ``event`` says something that the vendor's model does not know.

    Raises pydantic's ValidationError where it does not fit at all.
    """
    if models is GA and "session" in event:
        whole = RealtimeSessionCreateResponse.model_validate(event["session"])
        own = set(SERVER_SIDE_OF_A_SESSION) & set(type(whole).model_fields)
        shared = {key: value for key, value in event["session"].items() if key not in own}
        event = {**event, "session": shared}
    return list(_differences(event, models.validate_python(event), event["type"]))


def _differences(raw: Any, read: Any, place: str) -> Iterator[str]:
    if isinstance(read, BaseModel):
        unknown = set(raw) - set(type(read).model_fields)
        yield from (f"{place}.{key}" for key in sorted(unknown | set(read.model_extra or ())))
        for key in set(raw) - unknown:
            yield from _differences(raw[key], getattr(read, key), f"{place}.{key}")
    elif isinstance(read, list):
        if len(raw) != len(read):
            yield f"{place}: {len(raw)} given, {len(read)} read"
        for index, (given, taken) in enumerate(zip(raw, read, strict=False)):
            yield from _differences(given, taken, f"{place}[{index}]")
    elif raw != read:
        yield f"{place}: {raw!r} was read as {read!r}"

"""What a dialect is: a handful of pure functions on JSON objects.

The shapes inside the package are those of GA. ``encode`` goes from there to the wire of the
dialect, ``decode`` comes back; neither alters its argument, and both pass on what they don't know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What a connection is for; ``model`` is the deployment's name on Azure."""

    model: str | None = None
    intent: str | None = None
    call_id: str | None = None
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key or token; ``bearer`` sends it as ``Authorization`` where ``api-key`` is the custom."""

    token: str
    bearer: bool = False

    def __repr__(self) -> str:
        """Hide the token."""
        return f"Credentials(token=…, bearer={self.bearer})"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of speaking the protocol.

    ``audio_delta`` is the wire name of the event that brings audio. ``check`` raises
    ``UnsupportedParameter`` for a client event (in GA shape) that the server would refuse.
    """

    name: str
    audio_delta: str
    default_model: str
    url: Callable[[str, Target], str]
    headers: Callable[[Credentials], dict[str, str]]
    check: Callable[[JsonObject], None]
    encode_client: Callable[[JsonObject], JsonObject]
    decode_client: Callable[[JsonObject], JsonObject]
    encode_server: Callable[[JsonObject], JsonObject]
    decode_server: Callable[[JsonObject], JsonObject]


def with_query(url: str, **parameters: str | None) -> str:
    """Set query parameters of a URL, keeping the others; None leaves one as it is."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.update({name: value for name, value in parameters.items() if value is not None})
    return urlunsplit(parts._replace(query=urlencode(query)))


def mapped(event: JsonObject, key: str, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """Apply a change to an object's field if that field is an object; else give it back as is."""
    value = event.get(key)
    return {**event, key: change(value)} if isinstance(value, dict) else event


def mapped_list(
    event: JsonObject, key: str, change: Callable[[JsonObject], JsonObject]
) -> JsonObject:
    """Apply a change to every object in an object's list field."""
    values = event.get(key)
    if not isinstance(values, list):
        return event
    return {**event, key: [change(v) if isinstance(v, dict) else v for v in values]}

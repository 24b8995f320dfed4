"""What all objects on the wire share: how they are read, and how they are written again.

Unknown fields are kept and written back. A field that was never set is not written, and one that
was set to None is written as null: the API tells the two apart (OpenAI Realtime, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
)

from voicebridge.realtime.errors import RealtimeProtocolError

M = TypeVar("M", bound=BaseModel)

JsonObject: TypeAlias = dict[str, Any]
Int: TypeAlias = StrictInt
Bool: TypeAlias = StrictBool
Number: TypeAlias = StrictInt | Annotated[StrictFloat, AllowInfNan(False)]
"""Whole numbers stay whole, so that what was read is written back the same; what is too large for
a float is no number, since JSON has no word for it.
"""

WIRE: Final = ConfigDict(extra="allow", ser_json_inf_nan="null", protected_namespaces=())

FROM_WIRE: Final = object()
"""The validation context of everything that came from a server."""


class WireModel(BaseModel):
    """An object without a ``type`` of its own."""

    model_config = WIRE


class TaggedModel(BaseModel):
    """An object that tells its ``type``; one made by us always writes it."""

    model_config = WIRE
    always_written: ClassVar[tuple[str, ...]] = ("type",)

    def model_post_init(self, context: Any, /) -> None:
        """Count ``type`` as set, save where a server left it out."""
        if context is not FROM_WIRE:
            self.model_fields_set.update(self.always_written)


class UnknownObject(WireModel):
    """An object of a type that this version does not know; all its fields are kept."""

    type: str | None = None
    id: str | None = None


def tag_by_type(*known: str) -> Callable[[Any], str]:
    """Make a discriminator: a known ``type`` is its own tag, a string is "text", else "unknown"."""
    tags = frozenset(known)

    def tag(value: Any) -> str:
        if isinstance(value, UnknownObject):
            return "unknown"
        if isinstance(value, str):
            return "text"
        kind = field_of(value, "type")
        return kind if isinstance(kind, str) and kind in tags else "unknown"

    return tag


def field_of(value: Any, name: str) -> Any:
    """Read a field of an object that is a dict before validation and a model after it."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def from_wire(model: type[M], value: Any, what: str = "", *, event_type: str | None = None) -> M:
    """Read an object that a server sent.

    Raises ``RealtimeProtocolError``, which names the faulty field after ``what`` was read: the
    event's type, unless it is given.
    """
    try:
        return model.model_validate(value, context=FROM_WIRE)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = _place(first["loc"], value)
        message = f"{what or event_type}: {field}: {first['msg']}"
        raise RealtimeProtocolError(message, event_type=event_type, field=field) from None


def to_wire(model: BaseModel) -> JsonObject:
    """Turn a model into JSON types, with only the fields that were set."""
    return model.model_dump(mode="json", exclude_unset=True)


def _place(loc: tuple[int | str, ...], value: Any) -> str:
    """Name the faulty field as the wire has it, without the names of the union members tried."""
    path = ""
    for step in loc:
        if isinstance(value, dict) and step in value:
            path, value = f"{path}.{step}", value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path, value = f"{path}[{step}]", value[step]
        elif isinstance(value, dict) and step == loc[-1]:
            path = f"{path}.{step}"  # a required field that is missing
    return path.removeprefix(".")

"""What all objects on the wire share: how they are read, and how they are written again.

Unknown fields are kept and written back. A field that was never set is not written, and one that
was set to None is written as null: the API tells the two apart (OpenAI Realtime, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, StrictBool, StrictFloat, StrictInt

JsonObject: TypeAlias = dict[str, Any]
Int: TypeAlias = StrictInt
Bool: TypeAlias = StrictBool
Number: TypeAlias = StrictInt | StrictFloat
"""Whole numbers stay whole, so that what was read is written back the same."""

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


def to_wire(model: BaseModel) -> JsonObject:
    """Turn a model into JSON types, with only the fields that were set."""
    return model.model_dump(mode="json", exclude_unset=True)

"""Hypothesis strategies for the JSON that the vendor's own models describe."""

from __future__ import annotations

import functools
import types
import typing
from typing import Annotated, Any, Literal, Union

from hypothesis import strategies as st
from pydantic import BaseModel

Json = st.SearchStrategy[Any]

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_INT = st.integers(min_value=0, max_value=10**9)
_FLOAT = st.floats(allow_nan=False, allow_infinity=False, width=32)
_ANY = st.recursive(
    st.none() | st.booleans() | _INT | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=3,
)
_PLAIN: dict[Any, Json] = {
    str: _TEXT,
    int: _INT,
    float: _FLOAT,
    bool: st.booleans(),
    object: _ANY,
    Any: _ANY,
    None: st.none(),
    type(None): st.none(),
}


def union_members(alias: Any) -> tuple[type[BaseModel], ...]:
    """Give the event classes of one of the vendor's annotated unions."""
    union = typing.get_args(alias)[0] if typing.get_origin(alias) is Annotated else alias
    return typing.get_args(union)


@functools.cache
def json_of(annotation: Any) -> Json:
    """Make a strategy for the JSON of a type as the vendor annotates it."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return st.deferred(lambda: _object(annotation))
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return json_of(args[0])
    if origin is Literal:
        return st.sampled_from(args)
    if origin in {Union, types.UnionType}:
        return st.one_of([json_of(arg) for arg in args])
    if origin is list:
        return st.lists(json_of(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(_TEXT, json_of(args[1]), max_size=2)
    raise TypeError(f"no strategy for {annotation!r}")


@functools.cache
def _object(model: type[BaseModel]) -> Json:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return st.fixed_dictionaries(
        {key: json_of(f.annotation) for key, f in fields.items() if f.is_required()},
        optional={key: json_of(f.annotation) for key, f in fields.items() if not f.is_required()},
    )


def unknown_fields(value: Any, place: str = "") -> list[str]:
    """List the fields that the vendor's model of a validated object does not declare."""
    if isinstance(value, BaseModel):
        found = [f"{place}.{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += unknown_fields(getattr(value, name), f"{place}.{name}")
        return found
    if isinstance(value, list):
        return [f for index, v in enumerate(value) for f in unknown_fields(v, f"{place}[{index}]")]
    return []

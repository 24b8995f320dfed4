"""Who is to be ticked when: the ends of a run, spread over the slots of a turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Rota(Generic[T]):
    """Ends by number; the number decides the slot."""

    def __init__(self, slots: int) -> None:
        self._slots: list[dict[int, T]] = [{} for _ in range(slots)]

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def __iter__(self) -> Iterator[T]:
        return (end for slot in self._slots for end in slot.values())

    def add(self, number: int, end: T) -> None:
        """Take in an end."""
        self._slots[number % len(self._slots)][number] = end

    def drop(self, number: int) -> None:
        """Forget an end, if it is there."""
        self._slots[number % len(self._slots)].pop(number, None)

    def get(self, number: int) -> T | None:
        """Find an end."""
        return self._slots[number % len(self._slots)].get(number)

    def due(self, slot: int) -> Iterable[T]:
        """Return the ends of a slot, counted on and on."""
        return self._slots[slot % len(self._slots)].values()

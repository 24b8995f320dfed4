"""The conferences of the simulated carrier: parties meet in a room, and one of them ends it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from voicebridge.rehearsal.twiml_verbs import Conference

ALONE_S, TALK_S = 10.0, 0.5


@dataclass(eq=False)
class Room:
    """One conference: how many are in it, whether two have met, whether it is over."""

    parties: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Rooms:
    """The conferences by their names."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    async def join(self, conference: Conference, *, leaves_first: bool = False) -> bool:
        """Stay in a conference until it is over; tell whether somebody else was there.

        Who is alone waits for a bounded time. Who ``leaves_first`` hangs up after a short talk.
        """
        room = self._rooms.setdefault(conference.name, Room())
        room.parties += 1
        if room.parties > 1 and conference.starts:
            room.met.set()
        try:
            async with asyncio.timeout(ALONE_S):
                await room.met.wait()
                if leaves_first:
                    await asyncio.sleep(TALK_S)
                else:
                    await room.over.wait()
        except TimeoutError:
            pass
        finally:
            self._leave(conference, room)
        return room.met.is_set()

    def _leave(self, conference: Conference, room: Room) -> None:
        room.parties -= 1
        if conference.ends or not room.parties:
            room.over.set()
            self._rooms.pop(conference.name, None)

"""What the parts of one simulated session share."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from voicebridge.rehearsal.conversation import Conversation
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.outbox import Outbox
from voicebridge.rehearsal.script import Memory, Script, ScriptRun
from voicebridge.rehearsal.session_config import Session
from voicebridge.rehearsal.session_log import NoteKind, ServerNote, SessionLog
from voicebridge.rehearsal.voice import Voice

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all sessions of a server have in common. ``pace`` is times real time."""

    script: Script
    voice: Voice
    pace: float = 6.0
    faults: Faults = field(default_factory=Faults)
    on_event: Callable[[ServerNote], None] | None = None


@dataclass(slots=True)
class SessionState:
    """One session: its configuration, conversation, script, log and what it writes to.

    ``spawn`` starts a task that the session's connection owns.
    """

    setting: Setting
    outbox: Outbox
    spawn: Spawn
    config: Session
    script: ScriptRun
    chance: Random
    session_id: str = field(default_factory=lambda: new_id("sess"))
    expires_at: int = field(default_factory=lambda: int(time.time()) + 3600)
    conversation: Conversation = field(default_factory=lambda: Conversation(new_id("conv")))
    memory: Memory = field(default_factory=Memory)
    log: SessionLog = field(default_factory=SessionLog)
    has_spoken: bool = False
    cached_tokens: tuple[int, int] = (0, 0)

    def note(self, kind: NoteKind, text: str) -> None:
        """Tell whoever watches the call live."""
        if self.setting.on_event is not None:
            self.setting.on_event(ServerNote(time.monotonic(), kind, text))


def new_id(prefix: str) -> str:
    """Make an id such as the API's; shorter than the 32 characters that it allows."""
    return f"{prefix}_{secrets.token_hex(10)}"

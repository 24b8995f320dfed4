"""What the two sides of a rehearsal do, step by step, as the YAML file says it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DEFAULT_PAUSE_MS = 700
LONGEST_WAIT_MS = 120_000

PLACEHOLDER = re.compile(r"\{(heard|rest|output\.\w+)\}")
_TRIGGERS: Final = ("after_agent_ms", "into_agent_ms", "after_ms")

Milliseconds = Annotated[int, Field(ge=0, le=LONGEST_WAIT_MS)]
Spoken = Annotated[str, Field(min_length=1, max_length=4000)]


class Strict(BaseModel):
    """Refuse unknown keys and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CallerStep(Strict):
    """One thing the caller does, and when.

    Exactly one of ``say``, ``cough_ms`` (a burst of noise that is no speech), ``press`` and
    ``hang_up``; at most one trigger:
    ``after_agent_ms`` counts from when the agent was last audible at the phone,
    ``into_agent_ms`` from when its current utterance became audible (a barge-in), and
    ``after_ms`` from the end of the previous step.
    """

    say: Spoken | None = None
    cough_ms: Annotated[int, Field(ge=100, le=2000)] | None = None
    press: Annotated[str, Field(pattern=r"^[0-9*#]{1,32}$")] | None = None
    hang_up: bool = False
    after_agent_ms: Milliseconds | None = None
    into_agent_ms: Milliseconds | None = None
    after_ms: Milliseconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _wait_for_the_agent(cls, data: Any) -> Any:
        if isinstance(data, dict) and not any(name in data for name in _TRIGGERS):
            return {**data, "after_agent_ms": DEFAULT_PAUSE_MS}
        return data

    @model_validator(mode="after")
    def _one_act_one_trigger(self) -> Self:
        acts = (self.say, self.cough_ms, self.press, self.hang_up or None)
        if sum(act is not None for act in acts) != 1:
            raise ValueError("a caller's step has exactly one of say, cough_ms, press, hang_up")
        if sum(getattr(self, name) is not None for name in _TRIGGERS) != 1:
            raise ValueError(f"a caller's step has one trigger out of {', '.join(_TRIGGERS)}")
        return self


class AgentStep(Strict):
    """The agent's n-th response: something said, a tool called, or both in this order.

    ``wait_ms`` is how long the model thinks before it. Each text of ``also_say`` is a further item
    of the same response.

    ``say`` may contain ``{heard}`` (the last words the caller heard of the reply that was cut
    last), ``{rest}`` (that reply from the sentence in which it was cut) and ``{output.KEY}``
    (a key of the JSON that the last tool gave back).
    """

    say: Spoken | None = None
    also_say: tuple[Spoken, ...] = ()
    wait_ms: Milliseconds = 0
    call: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("say", "also_say")
    @classmethod
    def _known_placeholders(cls, value: str | tuple[str, ...] | None) -> Any:
        for text in (value,) if isinstance(value, str) else value or ():
            left = PLACEHOLDER.sub("", text)
            if "{" in left or "}" in left:
                raise ValueError("only {heard}, {rest} and {output.KEY} stand in braces")
        return value

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if self.say is None and self.call is None:
            raise ValueError("an agent's step has say, call or both")
        if self.also_say and self.say is None:
            raise ValueError("also_say follows a say")
        if self.arguments and self.call is None:
            raise ValueError("arguments belong to a call")
        return self

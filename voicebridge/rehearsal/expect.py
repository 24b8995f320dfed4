"""What a rehearsal is expected to bring, as its file says it; ``expectations.py`` holds it against
what came.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from voicebridge.rehearsal.steps import Strict

Text = Annotated[str, Field(min_length=1, max_length=2000)]
KEYS = r"^[0-9A-D*#]{1,64}$"


class ExpectedAction(Strict):
    """A tool that the model calls; ``answer`` are some keys of what it is told, with their values.

    ``ok`` is how the bridge's own record says that it went.
    """

    name: Text
    ok: bool = True
    answer: dict[str, Any] = Field(default_factory=dict)


class ExpectedSound(Strict):
    """One thing that the caller hears: some ``words`` of the model, ``keys`` by their tones.

    ``tone_hz`` is a steady tone, ``own`` what the model did not say: a packaged phrase or a
    greeting from memory.
    """

    words: Text | None = None
    keys: Annotated[str, Field(pattern=KEYS)] | None = None
    tone_hz: Annotated[int, Field(ge=50, le=3800)] | None = None
    own: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("what is heard is exactly one of words, keys, tone_hz, own")
        return self


class ExpectedRequest(Strict):
    """A request to the carrier's REST API: the end of its path, and some of its fields.

    A field's value is what it is to contain.
    """

    path: Text
    fields: dict[str, str] = Field(default_factory=dict)


class Expect(Strict):
    """What a rehearsal is expected to bring; what is not named may be as it likes.

    ``actions`` are all tools that are called, in order. ``heard`` come in this order, other sounds
    may lie between them. ``told`` are parts of the texts that the model is sent, ``never_told``
    what is in none of them. ``then`` are verbs after the stream, in order, each by its beginning.
    ``sessions`` is how many of the model are used. ``requests`` are all that the carrier's REST API
    is asked, ``colleague`` is what a colleague gets to hear, in order. ``files`` are left behind in
    the folder, by name or pattern, each with some of its text.
    """

    ended: Text | None = None
    hung_up_by: Literal["bridge", "caller"] | None = None
    actions: tuple[ExpectedAction, ...] | None = None
    heard: tuple[ExpectedSound, ...] = ()
    told: tuple[Text, ...] = ()
    never_told: tuple[Text, ...] = ()
    then: tuple[Text, ...] = ()
    sessions: Annotated[int, Field(ge=0)] | None = None
    requests: tuple[ExpectedRequest, ...] | None = None
    colleague: tuple[Text, ...] = ()
    files: dict[str, Text] = Field(default_factory=dict)

"""What a persona does with the keys that its callers press."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class CallerKeys(BaseModel):
    """Say what the caller's keys are for, while no tool collects them.

    Keys that are pressed within a short pause are one entry; a # ends it at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["text", "tool", "ignore"] = Field(
        default="text",
        description="text tells the model which keys were pressed, tool runs a tool with them, "
        "ignore does nothing.",
    )
    tool: str | None = Field(
        default=None,
        min_length=1,
        description="With mode tool: which of the persona's tools gets the keys, as its argument "
        "`keys` or its only one.",
    )
    interrupt: bool = Field(
        default=True, description="Whether a key stops the agent, as speech does."
    )
    pause_ms: int = Field(
        default=1500, ge=200, le=10_000, description="A pause this long ends an entry."
    )

    @model_validator(mode="after")
    def _a_tool_for_its_mode(self) -> CallerKeys:
        if (self.mode == "tool") != (self.tool is not None):
            raise ValueError("expected 'tool' with mode tool, and only with it")
        return self


def _keys(written: Any) -> Any:
    """Read a plain word as the mode, and a mapping with a tool as mode tool."""
    if isinstance(written, str):
        return {"mode": written}
    if isinstance(written, dict) and "tool" in written:
        return {"mode": "tool", **written}
    return written


ReadKeys = Annotated[
    CallerKeys,
    BeforeValidator(_keys, json_schema_input_type=CallerKeys | Literal["text", "tool", "ignore"]),
]

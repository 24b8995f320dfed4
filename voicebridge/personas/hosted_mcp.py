"""MCP servers whose tools the realtime server calls by itself, beside the bridge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from voicebridge.personas.references import kept_out, names_in


def _secure(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError("expected a URL that starts with https://; the vendor's servers dial it")
    if "@" in url.split("/")[2]:
        raise ValueError("expected a URL without user name and password; use 'authorization'")
    return url


def _by_reference(written: str) -> str:
    return kept_out("authorization", written)


Reference = Annotated[str, AfterValidator(_by_reference)]


class HostedMcpServer(BaseModel):
    """Let the realtime server use some tools of an MCP server.

    Such calls do not pass through the bridge. With ``approval: unneeded`` it neither sees, delays
    nor confirms them: offer what may be done without asking, or have the server ask first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="What the model calls it.")
    url: Annotated[str, AfterValidator(_secure)] = Field(description="Where it is, by https.")
    tools: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="The tools that may be used; no others are."
    )
    description: str | None = Field(
        default=None, min_length=1, description="Tells the model what the server is for."
    )
    approval: Literal["unneeded", "always", "ask", "never"] = Field(
        default="unneeded",
        description="What happens before a tool is called. unneeded: nothing, the bridge does not "
        "even learn of it. always: it is noted in the record. ask: the caller has to agree. never: "
        "it is refused.",
    )
    authorization: Reference | None = Field(
        default=None, description="Its token, as ${env:NAME}: the secret stays out of this file."
    )

    @property
    def variables(self) -> tuple[str, ...]:
        """Name the variables of the environment that it refers to."""
        return names_in(self.authorization or "")

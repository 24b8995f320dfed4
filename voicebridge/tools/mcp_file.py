"""What a file of ``config/mcp`` may say: one MCP server, and which of its tools are offered."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voicebridge.personas.references import kept_out, names_in
from voicebridge.tools.http_file import split
from voicebridge.tools.tool import ToolOptions


def _offered(written: Any) -> Any:
    """Read a list of names as tools with the usual options, and an empty entry likewise."""
    if isinstance(written, list) and all(isinstance(name, str) for name in written):
        return {name: {} for name in written}
    if isinstance(written, dict):
        return {name: {} if options is None else options for name, options in written.items()}
    return written


def _secrets_kept_out(values: dict[str, str]) -> dict[str, str]:
    return {name: kept_out(name, text) for name, text in values.items()}


ByName = Annotated[dict[str, str], AfterValidator(_secrets_kept_out)]


class McpServerFile(BaseModel):
    """One MCP server: a command that is run, or a URL that is dialled."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: tuple[str, ...] | None = Field(default=None, min_length=1)
    env: ByName = Field(default_factory=dict)
    url: str | None = None
    headers: ByName = Field(default_factory=dict)
    allow_http: bool = False
    tools: Annotated[dict[str, ToolOptions], BeforeValidator(_offered), Field(min_length=1)]

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> McpServerFile:
        if (self.command is None) == (self.url is None):
            raise ValueError("expected either 'command' or 'url'")
        if self.url is not None:
            secure = split(self.url).scheme == "https"
            if not secure and not self.allow_http:
                raise ValueError(
                    "expected https://; for a server without it say 'allow_http: true'"
                )
        if (self.command is None and self.env) or (self.url is None and self.headers):
            raise ValueError("'env' goes with 'command', and 'headers' with 'url'")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """Name the variables of the environment that the file refers to."""
        return names_in(*self.env.values(), *self.headers.values())


def offered_name(server: str, tool: str) -> str:
    """Return the name by which a persona lists a server's tool, and the model calls it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{tool}")

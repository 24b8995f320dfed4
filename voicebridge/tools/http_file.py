"""What a file of ``config/tools`` may say: one HTTP request as a tool, without code."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from voicebridge.personas.references import kept_out, names_in
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.tools.http_text import placeholders, pointer
from voicebridge.tools.tool import ToolOptions

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
# They say where a message ends or where it goes, which is not for a file to say.
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})

OF_THE_CALL = ("call.id", "call.caller", "call.called")
"""What a template may name besides arguments."""

DEFAULT_PORTS = {"https": 443, "http": 80}


class Argument(BaseModel):
    """Describe one argument to the model, and bound it."""

    model_config = _FROZEN

    description: str = Field(min_length=1)
    type: Literal["string", "integer", "number", "boolean"] = "string"
    required: bool = True
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1)
    pattern: str | None = None
    max_length: int = Field(default=200, ge=1, le=4000)
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> Argument:
        if self.type != "string" and (self.one_of or self.pattern):
            raise ValueError("'one_of' and 'pattern' are for the type string")
        numeric = self.type in {"integer", "number"}
        if not numeric and (self.minimum is not None or self.maximum is not None):
            raise ValueError("'minimum' and 'maximum' are for the types integer and number")
        return self

    def field(self, name: str) -> tuple[Any, Any]:
        """Return the argument as pydantic's field definition."""
        hint: Any
        if self.one_of:
            hint = Literal[self.one_of]
        elif self.type == "string":
            hint = Annotated[str, Field(pattern=self.pattern, max_length=self.max_length)]
        elif self.type == "boolean":
            hint = bool
        else:
            number = int if self.type == "integer" else float
            hint = Annotated[number, Field(ge=self.minimum, le=self.maximum, allow_inf_nan=False)]
        default = ... if self.required else None
        return (
            hint if self.required else hint | None,
            Field(default, alias=name, description=self.description),
        )


def _pointers(wanted: str | dict[str, str]) -> str | dict[str, str]:
    for each in [wanted] if isinstance(wanted, str) else wanted.values():
        pointer(each)
    return wanted


class Reply(BaseModel):
    """Say what of the reply the model is told: a JSON pointer, or several by name."""

    model_config = _FROZEN

    select: Annotated[str | dict[str, str], AfterValidator(_pointers)] = ""
    max_bytes: int = Field(default=4096, ge=1, le=16 * 1024)


def _header_names(headers: dict[str, str]) -> dict[str, str]:
    for name, text in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _NOT_OURS:
            raise ValueError(f"the header '{name}' cannot be set here")
        if not re.fullmatch(r"[ -~]+", text):
            raise ValueError(f"the header '{name}' must be one line of ASCII text")
        kept_out(name, text)
    return headers


def _argument_names(arguments: dict[str, Argument]) -> dict[str, Argument]:
    for name in arguments:
        if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"'{name}' cannot be the name of an argument; use letters and _")
    return arguments


def _no_secret(text: str) -> str:
    if "${" in text:
        raise ValueError("a secret may stand in a header only: URLs are written into many logs")
    return text


def _url(url: str) -> str:
    """Check a URL template: what it leads to is written out, and is a host."""
    _no_secret(url)
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError("expected a URL in ASCII without blanks; write others percent-encoded")
    parts = split(url)
    if "{" in parts.netloc or "}" in parts.netloc:
        raise ValueError("the host of a URL cannot be an argument")
    if parts.query or parts.fragment or "?" in url:
        raise ValueError("write what follows the '?' under the key 'query'")
    return url


def split(url: str) -> SplitResult:
    """Split an http or https URL with a host; raises ValueError for anything else."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in DEFAULT_PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("expected a URL that starts with https:// and names a host")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user name and password; use a header")
    return parts


Query = dict[str, Annotated[str, AfterValidator(_no_secret)]]


class HttpToolFile(ToolOptions):
    """One HTTP request that the model may have made."""

    description: str = Field(min_length=1)
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[str, AfterValidator(_url)]
    headers: Annotated[dict[str, str], AfterValidator(_header_names)] = Field(default_factory=dict)
    arguments: Annotated[dict[str, Argument], AfterValidator(_argument_names)] = Field(
        default_factory=dict
    )
    query: Query = Field(default_factory=dict)
    body: Any = None
    reply: Reply = Reply()
    allow_hosts: tuple[str, ...] = ()
    allow_http: bool = False
    allow_private: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> HttpToolFile:
        if self.url.startswith("http:") and not self.allow_http:
            raise ValueError("expected https://; for a service without it say 'allow_http: true'")
        for host in self.allow_hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"expected a host such as api.example.com, got '{host}'")
        if self.body is not None and self.method in {"GET", "DELETE"}:
            raise ValueError(f"a {self.method} request has no body; use 'query'")
        self._check_placeholders()
        return self

    def _check_placeholders(self) -> None:
        used = set(self._placeholders())
        known = {*self.arguments, *OF_THE_CALL}
        for name in sorted(used - known):
            raise ValueError(f"there is no argument '{name}'{did_you_mean(name, known)}")
        for name in self.arguments:
            if name not in used:
                raise ValueError(f"the argument '{name}' is used nowhere in url, query or body")
        for name in placeholders(self.url):
            if name in self.arguments and not self.arguments[name].required:
                raise ValueError(f"the argument '{name}' is part of the URL, so it is required")

    def _placeholders(self) -> Iterator[str]:
        yield from placeholders(self.url)
        yield from placeholders(self.query)
        yield from placeholders(self.body)

    @property
    def variables(self) -> tuple[str, ...]:
        """Name the variables of the environment that the headers refer to."""
        return names_in(*self.headers.values())

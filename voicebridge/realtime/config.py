"""How a client reaches its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from voicebridge.errors import ConfigError
from voicebridge.realtime.dialects import (
    AZURE_GA,
    AZURE_PREVIEW,
    BETA,
    GA,
    Credentials,
    Dialect,
    Target,
)
from voicebridge.realtime.dialects.base import with_query
from voicebridge.realtime.enums import (
    AZURE_PREVIEW_API_VERSION,
    OPENAI_REALTIME_API_URL_V1,
    APIType,
)

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from voicebridge.realtime.transport import TransportName

DialectName: TypeAlias = Literal["ga", "beta"]

_DIALECTS: Final = {
    (APIType.OPENAI, "ga"): GA,
    (APIType.OPENAI, "beta"): BETA,
    (APIType.AZURE, "ga"): AZURE_GA,
    (APIType.AZURE, "beta"): AZURE_PREVIEW,
}
_NOWHERE: Final = Target()
_WEB_SCHEMES: Final = {"wss": "https", "ws": "http"}
_SOCKET_SCHEMES: Final = {"https": "wss", "http": "ws"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Where the server is, how it speaks and who asks; its text never shows the key.

    ``base_url`` is that of the websocket; an empty ``api_base_url`` is derived from it, so that
    a key for one server never goes to another. ``bearer`` sends an Azure token as a bearer token
    (Entra) instead of as ``api-key``. ``headers`` are added to every request, such as
    ``OpenAI-Project``. ``strict`` refuses what the dialect's server would refuse; switch it off
    for a compatible server with keys of its own. ``server_speaks_first`` is False for servers
    that wait for a ``session.update`` before they say anything. ``transport`` names the library
    that carries the websocket; "auto" is picows where it is installed, else websockets.
    ``http_session`` is used for REST calls and left open.
    """

    auth_token: str = field(default="", repr=False)
    base_url: str = OPENAI_REALTIME_API_URL_V1
    api_base_url: str = ""
    api_type: APIType = APIType.OPENAI
    api_version: str | None = None
    dialect: DialectName = "ga"
    bearer: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    strict: bool = True
    server_speaks_first: bool = True
    send_timeout_s: float = 10.0
    transport: TransportName = "auto"
    http_session: ClientSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what can never work."""
        if (self.api_type, self.dialect) not in _DIALECTS:
            raise ConfigError(f"expected 'ga' or 'beta', not {self.dialect!r}", key="dialect")
        if urlsplit(self.base_url).scheme not in {*_WEB_SCHEMES, *_SOCKET_SCHEMES}:
            message = f"expected a ws:// or wss:// address, not {self.base_url!r}"
            raise ConfigError(message, key="base_url")
        if self.api_type is APIType.AZURE and self.base_url == OPENAI_REALTIME_API_URL_V1:
            raise ConfigError("expected the address of an Azure resource", key="base_url")

    @property
    def protocol(self) -> Dialect:
        """The dialect's functions for this server."""
        return _DIALECTS[self.api_type, self.dialect]

    @property
    def credentials(self) -> Credentials:
        """The key as the dialect wants it."""
        return Credentials(self.auth_token, self.bearer)

    @property
    def websocket_url(self) -> str:
        """The base URL with a websocket scheme."""
        return _with_scheme(self.base_url, _SOCKET_SCHEMES)

    def endpoint(self, path: str) -> str:
        """The address of a REST call."""
        return with_query(self.rest_url + path, **{"api-version": self._preview_version})

    @property
    def _preview_version(self) -> str | None:
        if self.api_type is APIType.OPENAI or self.dialect == "ga":
            return None
        return self.api_version or AZURE_PREVIEW_API_VERSION

    @property
    def rest_url(self) -> str:
        """The base URL of the REST API, without a slash at its end."""
        if self.api_base_url:
            return self.api_base_url.rstrip("/")
        parts = urlsplit(self.protocol.url(self.websocket_url, _NOWHERE))
        path = parts.path.removesuffix("/realtime")
        return _with_scheme(urlunsplit((parts.scheme, parts.netloc, path, "", "")), _WEB_SCHEMES)


def default_config(auth_token: str) -> ClientConfig:
    """Configure a client for OpenAI."""
    return ClientConfig(auth_token=auth_token)


def default_azure_config(
    api_key: str, base_url: str, *, dialect: DialectName = "ga", api_version: str | None = None
) -> ClientConfig:
    """Configure a client for Azure; ``base_url`` is ``https://<resource>.openai.azure.com``.

    ``dialect="beta"`` means the preview surface, whose ``api_version`` is 2024-10-01-preview
    unless another is given.
    """
    return ClientConfig(
        auth_token=api_key,
        base_url=base_url,
        api_type=APIType.AZURE,
        dialect=dialect,
        api_version=api_version,
    )


def _with_scheme(url: str, schemes: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme=schemes.get(parts.scheme, parts.scheme)))

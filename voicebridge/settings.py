"""Read the bridge's settings: one file, and the environment for secrets and addresses.

This is the only reader of the process environment. Secrets come from there alone: a key in the
file that looks like one is refused. They are kept as SecretStr, so that no repr shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from voicebridge.errors import ConfigError
from voicebridge.personas.references import referred_variables
from voicebridge.personas.yaml_lines import load_model
from voicebridge.settings_front import Greetings, Limits, Outbound, Prices, Security

__all__ = [
    "FILE_NAME",
    "MOST_WORKERS",
    "OPENAI_REALTIME_URL",
    "TRANSPORT_VARIABLE",
    "Greetings",
    "Limits",
    "Log",
    "Outbound",
    "Prices",
    "Realtime",
    "Records",
    "Security",
    "Server",
    "Settings",
    "SettingsFile",
    "Tools",
    "load_settings",
    "process_environment",
    "referred_variables",
    "tool_secrets",
]  # fmt: skip

FILE_NAME = "voicebridge.yaml"
MOST_WORKERS = 64
OPENAI_REALTIME_URL = "wss://api.openai.com/v1/realtime"
TRANSPORT_VARIABLE = "VOICEBRIDGE_REALTIME_TRANSPORT"

SHORTEST_KEY = 8
"""What stands in the query of the realtime URL and is shorter is no secret: a version, a name."""

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_SECRET_NAME = re.compile(
    r"api_?key|token|secret|passw|credential|sid$|openai|twilio", re.IGNORECASE
)


def _split(url: str, schemes: tuple[str, str]) -> SplitResult:
    """Split an absolute URL of one of two schemes; raises ValueError without repeating the URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError(f"expected a URL that starts with {schemes[0]}:// or {schemes[1]}://")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("expected a URL without user name, password and fragment")
    return parts


def _realtime_url(url: str) -> str:
    _split(url, ("wss", "ws"))
    return url


def _public_url(url: str) -> str:
    parts = _split(url, ("https", "http"))
    if parts.path not in {"", "/"} or parts.query:
        raise ValueError("expected a URL without a path, such as https://bridge.example.com")
    return f"{parts.scheme}://{parts.netloc}"


class Server(BaseModel):
    """Say where the webhook and media server listens, and what it bears."""

    model_config = _FROZEN

    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address to listen on; 0.0.0.0 for all."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="The port; 0 takes any free one.")
    max_message_bytes: int = Field(
        default=65536,
        ge=1024,
        le=16 * 1024 * 1024,
        description="A larger message from the carrier is refused.",
    )
    start_timeout_s: float = Field(
        default=5, gt=0, le=60, description="A media stream must say `start` within this time."
    )
    max_calls: int = Field(
        default=100, ge=1, description="Calls at once; further ones are turned away."
    )
    shutdown_grace_s: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="How long running calls may go on when the bridge is stopped.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=MOST_WORKERS,
        description="Processes that share the port and the calls; as many as there are cores to "
        "spare. Limits hold for all of them together.",
    )


Transport = Literal["auto", "websockets", "aiohttp", "picows"]


class Realtime(BaseModel):
    """Say which realtime server answers, and in which dialect."""

    model_config = _FROZEN

    url: Annotated[str, AfterValidator(_realtime_url)] = Field(
        default=OPENAI_REALTIME_URL,
        description="Any compatible server; ws:// for a local one.",
        repr=False,  # a server's key may stand in its query
    )
    dialect: Literal["ga", "beta"] = Field(
        default="ga",
        description="ga, which OpenAI speaks; or beta, for servers that kept the older one.",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description="A model for all personas, instead of the one that each names.",
    )
    connect_timeout_s: float = Field(
        default=10, gt=0, le=120, description="How long dialling the model may take."
    )
    transport: Transport = Field(
        default="auto",
        description="The library that carries the websocket; auto is picows where it is "
        "installed, else websockets.",
    )

    @property
    def shown_url(self) -> str:
        """Return the URL as it may be told: without its query, where a server's key may stand."""
        return self.url.partition("?")[0]


class Records(BaseModel):
    """Say where calls are recorded; nowhere when ``directory`` is None."""

    model_config = _FROZEN

    directory: Path | None = Field(
        default=None,
        description="A folder, seen from where the bridge is started; null keeps nothing.",
    )
    recording_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Recordings that are older are deleted; null keeps them.",
    )


class Log(BaseModel):
    """Say how much is logged and in which form."""

    model_config = _FROZEN

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for machines."
    )


class Tools(BaseModel):
    """Name the plugins whose tools personas may list; none is loaded that is not named."""

    model_config = _FROZEN

    plugins: list[str] = Field(
        default_factory=list,
        description="What may be loaded: a plugin's name, package.module or "
        "package.module:function.",
    )


class SettingsFile(BaseModel):
    """Hold what config/voicebridge.yaml may say."""

    model_config = _FROZEN

    server: Server = Field(
        default=Server(), description="Where carriers reach the bridge, and what it bears."
    )
    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        default=None,
        description="The address by which the carrier reaches this bridge, without a path; null "
        "takes the host that each request names.",
    )
    realtime: Realtime = Field(default=Realtime(), description="The realtime speech model.")
    default_persona: str = Field(
        default="front-desk",
        min_length=1,
        description="The persona that answers where no rule and no number names another.",
    )
    tools: Tools = Field(default=Tools(), description="Tools of your own.")
    limits: Limits = Field(default=Limits(), description="Limits before money.")
    security: Security = Field(default=Security(), description="Whom the bridge believes.")
    outbound: Outbound = Field(default=Outbound(), description="Calls that the bridge places.")
    greetings: Greetings = Field(
        default=Greetings(), description="Greetings of fixed words, kept after their first time."
    )
    records: Records = Field(default=Records(), description="What is kept of each call.")
    log: Log = Field(default=Log(), description="The log, on standard error.")


class Settings(SettingsFile):
    """Hold everything the bridge is told from outside: the file, then the environment over it."""

    config_dir: Path
    openai_api_key: SecretStr | None = None
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_auth_token_old: SecretStr | None = None
    twilio_shared_key: SecretStr | None = None
    api_token: SecretStr | None = None
    tool_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """What ``${env:NAME}`` stands for in the files of tools and personas, where it is set."""

    def secret_values(self) -> tuple[str, ...]:
        """Return the secrets in plain, for the one place that keeps them out of the log."""
        secrets = (
            self.openai_api_key,
            self.twilio_auth_token,
            self.twilio_auth_token_old,
            self.twilio_shared_key,
            self.api_token,
            *self.tool_secrets.values(),
        )
        in_url = (value for _, value in parse_qsl(urlsplit(self.realtime.url).query))
        plain = (secret.get_secret_value() for secret in secrets if secret)
        return (*plain, *(value for value in in_url if len(value) >= SHORTEST_KEY))


def load_settings(config_dir: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Load ``config_dir``/voicebridge.yaml and lay the environment over it.

    ``environ`` is the process environment if None. Raises ConfigError, whose key is the variable's
    name when the environment is at fault; the message never repeats a secret's value.
    """
    environment = _Environment(os.environ if environ is None else environ)
    written = load_model(config_dir / FILE_NAME, SettingsFile, advise=_keep_secrets_out)
    realtime_url = environment.url("VOICEBRIDGE_REALTIME_URL", _realtime_url)
    public_url = environment.url("VOICEBRIDGE_PUBLIC_URL", _public_url)
    return Settings(
        server=written.server,
        public_url=public_url or written.public_url,
        realtime=written.realtime.model_copy(
            update={
                "url": realtime_url or written.realtime.url,
                "transport": environment.transport() or written.realtime.transport,
            }
        ),
        default_persona=written.default_persona,
        tools=written.tools,
        limits=written.limits,
        security=written.security,
        outbound=written.outbound,
        greetings=written.greetings,
        records=written.records,
        log=written.log,
        config_dir=config_dir,
        openai_api_key=environment.secret("OPENAI_API_KEY"),
        twilio_account_sid=environment.text("TWILIO_ACCOUNT_SID"),
        twilio_auth_token=environment.secret("TWILIO_AUTH_TOKEN"),
        twilio_auth_token_old=environment.secret("TWILIO_AUTH_TOKEN_OLD"),
        twilio_shared_key=environment.secret("TWILIO_SHARED_KEY"),
        api_token=environment.secret("VOICEBRIDGE_API_TOKEN"),
        tool_secrets=tool_secrets(config_dir, environ),
    )


def tool_secrets(
    config_dir: Path, environ: Mapping[str, str] | None = None
) -> dict[str, SecretStr]:
    """Return the variables that files of tools and personas refer to and that are set.

    ``environ`` is the process environment if None. Raises ConfigError for a value that no header
    can hold.
    """
    environment = _Environment(os.environ if environ is None else environ)
    found = {name: environment.secret(name) for name in referred_variables(config_dir)}
    return {name: secret for name, secret in found.items() if secret is not None}


class _Environment:
    """Read variables; one that is empty or blank counts as not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str) -> str | None:
        return self._variables.get(name, "").strip() or None

    def url(self, name: str, check: Callable[[str], str]) -> str | None:
        value = self.text(name)
        try:
            return check(value) if value else None
        except ValueError as error:
            raise ConfigError(str(error), key=name) from None

    def transport(self) -> str | None:
        """Return the name of a transport."""
        value, known = self.text(TRANSPORT_VARIABLE), get_args(Transport)
        if value is not None and value not in known:
            raise ConfigError(f"expected one of {', '.join(known)}", key=TRANSPORT_VARIABLE)
        return value

    def secret(self, name: str) -> SecretStr | None:
        """Return a secret; one with blanks or other signs inside would break an HTTP header."""
        value = self.text(name)
        if value and not re.fullmatch(r"[!-~]+", value):
            raise ConfigError(
                "expected a secret without blanks; was something else pasted along?", key=name
            )
        return SecretStr(value) if value else None


def _keep_secrets_out(key: str) -> str | None:
    if not _SECRET_NAME.search(key):
        return None
    name = key.lower()
    if "sid" in name:
        variable = "TWILIO_ACCOUNT_SID"
    elif "twilio" in name or "auth" in name:
        variable = "TWILIO_AUTH_TOKEN"
    else:
        variable = "OPENAI_API_KEY"
    return (
        f"'{key}' does not belong in this file: secrets come only from the environment; "
        f"remove it here and set {variable}"
    )


def process_environment() -> Mapping[str, str]:
    """Return the environment of this process, for those who need a variable that is no setting."""
    return os.environ

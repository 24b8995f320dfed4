"""Why a handshake failed, said so that the reader knows what to do."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Final, NamedTuple

from pydantic_core import from_json

from voicebridge.realtime.errors import ConnectError

REQUEST_ID_HEADERS: Final = ("x-request-id", "apim-request-id", "x-ms-request-id")

_BY_CODE: Final = {
    "invalid_api_key": "check the key: it is wrong, revoked or of another organisation",
    "beta_api_shape_disabled": "the server has switched the beta protocol off: use dialect 'ga'",
    "model_not_found": "check the model's name, and that the key's project may use it",
    "DeploymentNotFound": "on Azure the model is the name of a deployment of this resource",
    "insufficient_quota": "the account has no credit left: look at its billing page",
    "credit_balance_exhausted": "the account has no credit left: look at its billing page",
    "rate_limit_exceeded": "too many requests or sessions at once: try again later",
    "session_expired": "the session's time is over: open a new one",
}
_BY_STATUS: Final = {
    400: "the server does not take this address or header: check base_url, model and dialect",
    401: "check the key: it is wrong, revoked or of another organisation",
    403: "the key may not do this: check its project, the model and the region",
    404: "nothing is there: check base_url and model (on Azure, the deployment's name)",
    429: "too many requests or sessions at once, or no credit left: try again later",
}


class ApiError(NamedTuple):
    """What an API error body tells."""

    code: str | None = None
    message: str | None = None
    param: str | None = None


def advice(status: int | None, code: str | None) -> str:
    """Say what to do about a refusal, or nothing where there is nothing to say."""
    for known, text in _BY_CODE.items():
        if code is not None and known in code:
            return text
    if status is not None and status >= 500:
        return "the server has a problem of its own: try again later"
    return _BY_STATUS.get(status or 0, "")


def refused_handshake(status: int, headers: Mapping[str, str], body: bytes) -> ConnectError:
    """Make the error for a handshake that was answered with an HTTP status."""
    fields = {name.lower(): value for name, value in headers.items()}
    code, message, _ = error_of_body(body)
    request_id = request_id_of(fields)
    retry_after_s = retry_after(fields)
    return ConnectError(
        describe(f"the server refused the connection with HTTP {status}", code, message)
        + _sentence(advice(status, code))
        + (f" (retry after {retry_after_s:g} s)" if retry_after_s is not None else "")
        + _reference(request_id),
        status=status,
        request_id=request_id,
        retry_after_s=retry_after_s,
    )


def refused_session(
    code: str | None, message: str | None, headers: Mapping[str, str]
) -> ConnectError:
    """Make the error for a connection that opened and then was refused by an event or a close."""
    request_id = request_id_of({name.lower(): value for name, value in headers.items()})
    text = describe("the server opened the connection and refused the session", code, message)
    return ConnectError(
        text + _sentence(advice(None, code)) + _reference(request_id), request_id=request_id
    )


def describe(what: str, code: str | None, message: str | None) -> str:
    """Put together what was refused, the server's code and its own words."""
    text = f"{what}, {code}" if code else what
    return f"{text}: {message.rstrip('.')}" if message else text


def error_of_body(body: bytes) -> ApiError:
    """Read an API error body; all None where it is none."""
    try:
        parsed = from_json(body)
    except ValueError:
        return ApiError()
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return ApiError()
    fields = {name: value for name, value in error.items() if isinstance(value, str)}
    code = fields.get("code") or fields.get("type")
    return ApiError(code, fields.get("message"), fields.get("param"))


def request_id_of(fields: Mapping[str, str]) -> str | None:
    """Find the request's id in headers with lower-case names."""
    return next((fields[name] for name in REQUEST_ID_HEADERS if name in fields), None)


def retry_after(fields: Mapping[str, str]) -> float | None:
    """Read how long to wait, in seconds, from headers with lower-case names."""
    for name, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(fields[name]) / divisor)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(fields["retry-after"]).timestamp() - time())
    except (KeyError, ValueError):
        return None


def _sentence(text: str) -> str:
    return f"; {text}" if text else ""


def _reference(request_id: str | None) -> str:
    return f" [request id {request_id}]" if request_id else ""

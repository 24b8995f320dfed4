"""Errors of the realtime client: the house tree, re-exported, and those special to this package.

Whether an error is worth another try on the same connection is told by ``is_permanent``.
"""

from __future__ import annotations

from typing import overload

from voicebridge.errors import (
    ConnClosed,
    ConnectError,
    RealtimeError,
    RealtimeProtocolError,
    ServerRejected,
    SessionMismatch,
)

__all__ = [
    "ConnClosed",
    "ConnectError",
    "DeadlineExceeded",
    "PermanentError",
    "RealtimeError",
    "RealtimeProtocolError",
    "RequestError",
    "ServerRejected",
    "SessionMismatch",
    "UnsupportedMessageType",
    "UnsupportedParameter",
    "WebhookSignatureError",
    "is_permanent",
    "permanent",
]


class PermanentError(RealtimeError):
    """Wraps an error after which another try on the same connection is useless.

    The wrapped error is ``__cause__``.
    """

    permanent = True

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.__cause__ = cause


class UnsupportedMessageType(RealtimeProtocolError):
    """The server sent a frame that is not text; the API speaks JSON in text frames only."""


class UnsupportedParameter(RealtimeError):
    """An event of ours has a key or value that the dialect's server would refuse; nothing was sent.

    ``param`` names the place as the server would, such as ``session.temperature``.
    """

    permanent = False

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


class DeadlineExceeded(RealtimeError, TimeoutError):
    """A read, send or ping did not finish within its deadline.

    After a read or a ping the connection stays usable (``permanent`` is False); after a send it
    does not, since the server has stopped taking data.
    """

    def __init__(self, what: str, timeout_s: float, *, permanent: bool = False) -> None:
        super().__init__(f"{what} took longer than {timeout_s:g} s")
        self.permanent = permanent


class RequestError(RealtimeError):
    """An HTTP request of the REST side failed.

    ``status`` is None when no reply came. ``permanent`` is False where a later try may succeed:
    no reply, 408, 409, 429 and 5xx.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.request_id, self.retry_after_s = request_id, retry_after_s
        self.permanent = not (status is None or status in {408, 409, 429} or status >= 500)


class WebhookSignatureError(RealtimeError):
    """A webhook that is not signed with our secret, or was signed too long ago."""


@overload
def permanent(error: None) -> None: ...
@overload
def permanent(error: BaseException) -> RealtimeError: ...
def permanent(error: BaseException | None) -> RealtimeError | None:
    """Mark an error as permanent: wrap it, unless it is None or permanent already."""
    if error is None:
        return None
    if isinstance(error, RealtimeError) and error.permanent:
        return error
    return PermanentError(error)


def is_permanent(error: BaseException | None) -> bool:
    """Tell whether this error, or one it was raised from, is permanent."""
    while error is not None:
        if isinstance(error, RealtimeError) and error.permanent:
            return True
        error = error.__cause__
    return False

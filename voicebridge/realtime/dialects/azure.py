"""Azure OpenAI: the same two dialects at other addresses, with another header.

OpenAI Realtime, section 1.4. The preview surface speaks beta and wants an ``api-version``; the
GA surface speaks GA and must not have one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from voicebridge.realtime.dialects import beta, ga
from voicebridge.realtime.dialects.base import Credentials, Dialect, Target, with_query
from voicebridge.realtime.enums import AZURE_PREVIEW_API_VERSION
from voicebridge.realtime.errors import UnsupportedParameter

PREVIEW_PATH: Final = "/openai/realtime"
GA_PATH: Final = "/openai/v1/realtime"


def preview_url(base_url: str, target: Target) -> str:
    """Address a deployment on the preview surface."""
    if target.call_id is not None:
        raise UnsupportedParameter("the preview surface cannot join calls", param="call_id")
    version = target.api_version or AZURE_PREVIEW_API_VERSION
    query = {"api-version": version, "deployment": target.model}
    return with_query(_with_path(base_url, PREVIEW_PATH), **query)


def ga_url(base_url: str, target: Target) -> str:
    """Address a deployment, call or transcription on the GA surface."""
    return ga.url(_with_path(base_url, GA_PATH), target)


def headers(credentials: Credentials) -> dict[str, str]:
    """Authorise by ``api-key``, or by bearer for an Entra token."""
    if credentials.bearer or not credentials.token:
        return ga.headers(credentials)
    return {"api-key": credentials.token}


def _with_path(base_url: str, path: str) -> str:
    """Complete a resource's address, in so far as it isn't complete."""
    parts = urlsplit(base_url)
    given = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=given if given.endswith("/realtime") else path))


PREVIEW: Final[Dialect] = replace(beta.DIALECT, url=preview_url, headers=headers)
GA: Final[Dialect] = replace(ga.DIALECT, url=ga_url, headers=headers)

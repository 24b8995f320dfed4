"""The dialects of the protocol, as pure functions on JSON objects; GA is the default."""

from __future__ import annotations

from typing import Final

from voicebridge.realtime.dialects import azure, beta, ga
from voicebridge.realtime.dialects.base import Credentials, Dialect, Target

__all__ = ["AZURE_GA", "AZURE_PREVIEW", "BETA", "GA", "Credentials", "Dialect", "Target"]

GA: Final = ga.DIALECT
BETA: Final = beta.DIALECT
AZURE_GA: Final = azure.GA
AZURE_PREVIEW: Final = azure.PREVIEW

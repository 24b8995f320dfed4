"""What a response costs: its usage by the model's prices (OpenAI Realtime, section 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from voicebridge.realtime import Usage
from voicebridge.settings import Prices


def _row(*usd: float) -> Prices:
    text_in, text_cached, text_out, audio_in, audio_cached, audio_out = usd
    return Prices(
        text_in=text_in,
        text_cached=text_cached,
        text_out=text_out,
        audio_in=audio_in,
        audio_cached=audio_cached,
        audio_out=audio_out,
    )


BUILT_IN: Mapping[str, Prices] = {
    "gpt-realtime-2.1": _row(4.00, 0.40, 24.00, 32, 0.40, 64),
    "gpt-realtime-2": _row(4.00, 0.40, 24.00, 32, 0.40, 64),
    "gpt-realtime-1.5": _row(4.00, 0.40, 16.00, 32, 0.40, 64),
    "gpt-realtime": _row(4.00, 0.40, 16.00, 32, 0.40, 64),
    "gpt-realtime-2.1-mini": _row(0.60, 0.06, 2.40, 10, 0.30, 20),
    "gpt-realtime-mini": _row(0.60, 0.06, 2.40, 10, 0.30, 20),
    "gpt-4o-realtime-preview": _row(5.00, 2.50, 20.00, 40, 2.50, 80),
    "gpt-4o-mini-realtime-preview": _row(0.60, 0.30, 2.40, 10, 0.30, 20),
}
"""Dollars for a million tokens, as published in 2026."""

DEAREST = _row(5.00, 2.50, 24.00, 40, 2.50, 80)
"""For a model that has no price here: a cap that errs on the safe side."""


def prices_of(model: str, over: Mapping[str, Prices]) -> Prices:
    """Return a model's prices; of a dated model those of its family."""
    table = {**BUILT_IN, **over}
    names = [name for name in table if model == name or model.startswith(f"{name}-20")]
    return table[max(names, key=len)] if names else DEAREST


def cost_usd(usage: Usage, prices: Prices) -> float:
    """Return what a response costs, in dollars.

    Cached tokens are a part of the input tokens; where they are not told by kind, they are taken to
    be spread over the kinds in proportion. Tokens that are not told by kind at all are taken to be
    audio, which is dearer.
    """
    read, written = usage.input_token_details, usage.output_token_details
    total_in, total_out = usage.input_tokens or 0, usage.output_tokens or 0
    text = (read and read.text_tokens) or 0
    audio = (read and read.audio_tokens) or max(0, total_in - text)
    cached_text, cached_audio = _cached(usage, text, audio)
    text_out = (written and written.text_tokens) or 0
    audio_out = (written and written.audio_tokens) or max(0, total_out - text_out)
    return (
        (text - cached_text) * prices.text_in
        + cached_text * prices.text_cached
        + (audio - cached_audio) * prices.audio_in
        + cached_audio * prices.audio_cached
        + text_out * prices.text_out
        + audio_out * prices.audio_out
    ) / 1e6


def _cached(usage: Usage, text: int, audio: int) -> tuple[float, float]:
    read = usage.input_token_details
    if read is None or not read.cached_tokens:
        return 0, 0
    kinds = read.cached_tokens_details
    if kinds is not None:
        return min(text, kinds.text_tokens or 0), min(audio, kinds.audio_tokens or 0)
    cached = min(read.cached_tokens, text + audio)
    of_text = float(Fraction(cached * text, (text + audio) or 1))
    return of_text, cached - of_text

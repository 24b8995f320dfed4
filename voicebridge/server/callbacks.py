"""The promised calls of a running bridge: they are placed while it listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from voicebridge.outbound.callback_book import CallbackBook
from voicebridge.outbound.callback_dialler import CallbackDialler
from voicebridge.outbound.dialler import Urls
from voicebridge.server.keys import DIALLER, SWITCHBOARD
from voicebridge.server.paths import AMD_PATH, STATUS_PATH, VOICE_PATH


async def keep_promises(app: web.Application) -> AsyncIterator[None]:
    """Place promised calls for the length of an application's life, if it places calls at all.

    Of several workers one does it.
    """
    switchboard, dialler = app[SWITCHBOARD], app.get(DIALLER)
    settings = switchboard.settings
    wanted, base = settings.outbound, settings.public_url
    elsewhere = not switchboard.slot.is_first
    if dialler is None or wanted.callbacks_file is None or base is None or elsewhere:
        yield
        return
    book = CallbackBook(wanted.callbacks_file, wanted.callbacks_per_number)
    urls = Urls(voice=base + VOICE_PATH, status=base + STATUS_PATH, machine=base + AMD_PATH)
    keeping = CallbackDialler(book, dialler, urls, switchboard.has_line_for)
    task = asyncio.create_task(keeping.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

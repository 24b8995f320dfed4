"""Tools that are careless with what they know: loaded by a bridge under test."""

from __future__ import annotations

import logging
import os
import threading

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool


def _database() -> str:
    return f"postgres://crm:{os.environ.get('LEAKY_DB_PASSWORD', '')}@db.example/customers"


def _closed() -> None:
    raise ConnectionError(f"{_database()} is closed")


@tool
def look_up(name: str, card: str, call: CallContext) -> dict[str, str]:
    """Look a customer up, in vain."""
    raise ValueError(f"{name} with {card}, called from {call.caller}, is not in {_database()}")


@tool
async def look_up_soon(name: str, mail: str) -> dict[str, str]:
    """Look a customer up, in vain, with a cause."""
    try:
        _closed()
    except ConnectionError as error:
        raise KeyError({"name": name, "mail": mail}) from error


@tool
def say_no(name: str) -> str:
    """Refuse in words."""
    raise ToolFailed(f"{name} is not a customer of {_database()}")


@tool
def tell(name: str) -> dict[str, object]:
    """Tell what is known."""
    return {"name": name, "database": _database(), "cards": ["4556737586899855"]}


@tool
def log_it(name: str) -> str:
    """Write into the standard log what the bridge is to keep out of it."""
    try:
        {}[name]
    except LookupError:
        logging.getLogger("leaky").exception("looking up in %s failed", _database())
    return "ok"


@tool
def in_a_thread(name: str) -> str:
    """Let a thread of its own die."""

    def work() -> None:
        raise RuntimeError(f"{name} at {_database()}")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return "ok"


@tool
def leave(name: str) -> str:
    """End more than itself."""
    raise SystemExit(f"{name}: {_database()}")

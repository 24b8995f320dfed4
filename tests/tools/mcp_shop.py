"""An MCP server of the tests' own, over standard input and output or over HTTP.

Run as ``mcp_shop.py stdio FOLDER`` or ``mcp_shop.py http FOLDER PORT``. Whenever it starts, it
leaves a file with its process id in FOLDER.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

shop = MCPServer("shop", version="4.2", log_level="INFO")


@shop.tool()
def order_status(order_id: Annotated[str, Field(description="Such as A-1.")]) -> dict[str, str]:
    """Tell how far an order\u200b has come."""
    return {"order": order_id, "status": "on its way"}


@shop.tool(name="find.seats")
def find_seats(seats: int) -> str:
    """Find seats."""
    return f"{seats} found\x07"


@shop.tool()
def fail() -> str:
    """Fail."""
    raise LookupError("the internal reason")


@shop.tool()
def large() -> str:
    """Bring too much."""
    return "x" * 100_000


@shop.tool()
def token() -> str:
    """Tell what the environment holds."""
    return os.environ.get("SHOP_TOKEN", "none")


@shop.tool()
def break_down() -> str:
    """End the process in the middle of a call."""
    os._exit(1)


@shop.tool()
def not_offered() -> str:
    """Delete everything."""
    return "deleted"


def main() -> None:
    transport, folder = sys.argv[1], Path(sys.argv[2])
    (folder / f"{os.getpid()}.pid").touch()
    if transport == "stdio":
        shop.run("stdio")
    else:
        shop.run("streamable-http", host="127.0.0.1", port=int(sys.argv[3]), json_response=True)


if __name__ == "__main__":
    main()

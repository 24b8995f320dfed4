"""A newcomer's machine: a shell in an empty folder, and the outside world by its own names.

The names of the page lead to stand-ins on loopback, whose certificates are of an authority that
this machine trusts. So commands are typed as they are printed; only what everybody has of their own
is filled in.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

WITHIN_S = 60.0
MARK = "----8<----"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (config/[\w./-]+\.yaml)\n")

SITE = """\
import json, os, socket, sys, types
# The faster loop looks names up by itself.
sys.modules["uvloop"] = types.SimpleNamespace(
    new_event_loop=lambda: __import__("asyncio").new_event_loop()
)
_looked_up, _places = socket.getaddrinfo, json.loads(os.environ["STAND_INS"])
def _look_up(host, port, *more, **options):
    if host in _places:
        host, port = "127.0.0.1", _places[host]
    return _looked_up(host, port, *more, **options)
socket.getaddrinfo = _look_up
"""


@dataclass
class Step:
    """A section of the page: what is done, and the doctor's lines that say that it is done."""

    title: str
    commands: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def read_steps(page: str) -> list[Step]:
    """Read what is done before each of the doctor's blocks."""
    steps: list[Step] = []
    for section in page.split("\n## ")[1:]:
        step = Step(section.partition("\n")[0])
        for language, text in BLOCK.findall(section):
            if language == "text":
                step.lines = text.splitlines()
                steps.append(step)
                step = Step(step.title)
            else:
                step.commands.append((language, text))
        if step.commands:
            steps.append(step)
    return steps


class Shell:
    """A bash that stops at the first command that fails."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self._process, self.folder, self._port = process, folder, port

    async def run(self, text: str) -> str:
        """Run commands and return what they print."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{text}\necho\necho '{MARK}'\n".encode())
        printed: list[str] = []
        async with asyncio.timeout(WITHIN_S):
            while not printed or printed[-1].strip() != MARK:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"{text}\nfailed:\n{''.join(printed)}"
                printed.append(line)
        return "".join(printed[:-1])

    async def do(self, text: str) -> str:
        """Run a block of the page; a bridge that it starts goes on, an earlier one is stopped."""
        return await self.run(text.replace("voicebridge serve\n", self._served()))

    def _served(self) -> str:
        alive = f"http://127.0.0.1:{self._port}/healthz"
        return (
            'if [ -n "${SERVE:-}" ]; then kill $SERVE; wait $SERVE; fi\n'
            "voicebridge serve > serve.log 2>&1 & SERVE=$!\n"
            f"curl --silent --fail --output alive.json --retry 30 --retry-delay 1 "
            f"--retry-connrefused {alive} || {{ cat serve.log; exit 1; }}\n"
        )

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    async def doctor(self) -> list[str]:
        """Ask the doctor; return the findings, without their remedies."""
        printed = await self.run("voicebridge doctor || true")
        return [line for line in printed.splitlines() if re.match(r"[✓✗!-]  ", line)]


@asynccontextmanager
async def shell(
    folder: Path, authority: bytes, stand_ins: Mapping[str, int], port: int
) -> AsyncIterator[Shell]:
    """Open a shell in an empty folder, on a machine on which names lead to stand-ins."""
    home = folder.parent / "home"
    home.mkdir()
    (home / "ca.pem").write_bytes(authority)
    (home / "sitecustomize.py").write_text(SITE)
    connect = [f'connect-to = "{name}:443:127.0.0.1:{at}"' for name, at in stand_ins.items()]
    (home / ".curlrc").write_text("\n".join([f'cacert = "{home}/ca.pem"', *connect]) + "\n")
    programs = Path(sys.executable).parent
    env = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(home),
        "SSL_CERT_FILE": str(home / "ca.pem"),
        "STAND_INS": json.dumps(stand_ins),
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-e", cwd=folder, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Shell(process, folder, port)
    finally:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.write(b"kill ${SERVE:-} 2> /dev/null; wait; exit 0\n")
            process.stdin.close()
        async with asyncio.timeout(WITHIN_S):
            await process.wait()

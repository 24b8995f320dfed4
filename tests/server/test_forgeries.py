"""Of ten thousand forged requests none is taken, and none costs a model session or a record."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from forgery import HOST, MEDIA, WEBHOOKS, Forger, Request
from pydantic import SecretStr
from server_office import AUTH_TOKEN, WITHIN_S, Office

OpenOffice = Callable[..., Awaitable[Office]]

AT_ONCE = 32
REFUSED = {400, 401, 403, 404, 405, 413}
NOT_READ = ("cannot be read", "another charset", "400 Bad Request", "400: ")
"""What a 400 says where it does not come from behind the signature."""


async def answer(office: Office, request: Request) -> tuple[int, str]:
    """Send a request as it is, and return status and text of the answer, to the end."""
    host, port = office.bridge.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(WITHIN_S):
            writer.write(request.wire())
            status = int((await reader.readuntil(b"\r\n")).split()[1])
            text = "" if status in {101, 200, 204} else (await reader.read()).decode()
            return status, text
    except (ConnectionError, asyncio.IncompleteReadError):
        return 403, ""  # cut off while it was still sending
    finally:
        writer.close()


async def try_forgeries(office: Office, forgers: list[Forger], count: int) -> Counter[int]:
    """Send forgeries from many places at once; return how often each status was the answer."""
    statuses: Counter[int] = Counter()

    async def try_some(forger: Forger) -> None:
        for _ in range(-(-count // AT_ONCE)):
            request = forger.forged()
            status, text = await answer(office, request)
            assert status in REFUSED, (status, request)
            if status == 400:
                assert any(words in text for words in NOT_READ), (text, request)
            statuses[status] += 1

    async with asyncio.TaskGroup() as tasks:
        for forger in forgers:
            tasks.create_task(try_some(forger))
    return statuses


def nothing_has_come_of_it(office: Office, folder: Path) -> None:
    switchboard = office.bridge.switchboard
    assert office.model.sessions == []
    assert list(folder.rglob("*")) == []
    assert (len(switchboard.early), len(switchboard.calls)) == (0, 0)
    assert len(switchboard.tokens) == 0


async def the_true_ones_are_taken(office: Office, forger: Forger) -> None:
    for path in WEBHOOKS:
        request = forger.true(path)
        assert forger.is_true(request)
        assert (await answer(office, request))[0] in {200, 204}
    handshake = forger.true(MEDIA)
    assert (await answer(office, handshake))[0] == 101


@pytest.mark.parametrize(
    "count", [640, pytest.param(5_000, marks=pytest.mark.slow)], ids=["some", "thousands"]
)
@pytest.mark.parametrize("public", ["https://bridge.example.com", None])
async def test_no_forged_request_is_taken(
    open_office: OpenOffice,
    tmp_path: Path,
    count: int,
    public: str | None,
    record_property: Callable[[str, object], None],
) -> None:
    office = await open_office(
        public_url=public,
        twilio_auth_token_old=SecretStr("the-token-before"),
        twilio_shared_key=SecretStr("a-shared-key"),
    )
    public = public or f"http://{HOST}"
    forgers = [Forger(count + number, AUTH_TOKEN, public) for number in range(AT_ONCE)]
    statuses = await try_forgeries(office, forgers, count)
    record_property("answers", dict(statuses))
    assert statuses.total() >= count
    assert statuses[403] > count / 2
    nothing_has_come_of_it(office, tmp_path)
    await the_true_ones_are_taken(office, forgers[0])

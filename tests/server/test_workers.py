"""``voicebridge serve --workers``: real processes that share a port, and the calls between them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from many_calls import CALL_WITHIN_S, SCRIPT, NoiseVoice, caller, nothing_is_lost
from model_harness import INSTANT, ToneVoice, says
from serve_process import ServeProcess, serving, write_config
from server_office import CALLED, CALLER, get, post

from voicebridge.bridge.phrases import load_phrases
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.load import place_many
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.signing import signature_header
from voicebridge.rehearsal.steps import CallerStep

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

WORKERS = 3
TOKEN = "carrier-auth-token"
BACK_WITHIN_S = 15.0


@asynccontextmanager
async def crew(
    folder: Path, model: RealtimeServer, server: str = "shutdown_grace_s: 0", more: str = ""
) -> AsyncIterator[ServeProcess]:
    """Serve by several workers, which dial this model."""
    config = write_config(folder, server)
    with (config / "voicebridge.yaml").open("a") as file:
        file.write(more)
    environment = {
        "TWILIO_AUTH_TOKEN": TOKEN,
        "OPENAI_API_KEY": "key",
        "VOICEBRIDGE_REALTIME_URL": model.url,
    }
    async with serving(config, "--workers", str(WORKERS), environment=environment) as serve:
        yield serve


async def health(serve: ServeProcess) -> dict[str, Any]:
    status, body = await get(serve.url + "/healthz")
    assert status == 200
    return body


async def until(serve: ServeProcess, **wanted: Any) -> dict[str, Any]:
    """Ask for its health until it is as wanted."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while not wanted.items() <= (body := await health(serve)).items():
            pass
    return body


async def ring(serve: ServeProcess, number: int) -> tuple[str, str]:
    """Ring once on a connection of its own; return the call's id and the answer."""
    url, call_id = serve.url + "/twilio/voice", f"CA{number:032}"
    form = {"CallSid": call_id, "From": f"+1555{number:07}", "To": CALLED}
    status, twiml = await post(url, list(form.items()), signature_header(TOKEN, url, form.items()))
    assert status == 200
    return call_id, twiml


async def until_back(serve: ServeProcess, worker: int) -> dict[str, Any]:
    """Ask for its health until a worker that had gone was started again and answers calls."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            body = await health(serve)
            told = body["workers"][worker]
            if (told["starts"], told["state"]) == (2, "up"):
                return body


def worker_of(call_id: str) -> int:
    return zlib.crc32(call_id.encode()) % WORKERS


async def test_thirty_calls_at_three_workers_lose_nothing_whatever_worker_they_come_to(
    tmp_path: Path,
) -> None:
    async with (
        RealtimeServer(SCRIPT, NoiseVoice()) as model,
        crew(tmp_path, model) as serve,
    ):
        assert "  workers   3\n" in serve.printed
        carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token=TOKEN)
        logs = await place_many(30, carrier, caller, deadline_s=CALL_WITHIN_S, stagger_s=0.03)
        body = await until(serve, calls=0, status="ok")
        serve.terminate()
        code, printed, said = await serve.end()
    assert (code, "Traceback" in said) == (0, False)
    assert "stopping: 0 calls" in printed
    records = serve.records()
    assert len(records) == 30
    nothing_is_lost(logs, [session.log for session in model.sessions], records)
    passed_on = sum(worker["passed_on"] for worker in body["workers"])
    assert 0 < passed_on <= 3 * 30


async def test_the_calls_of_other_workers_do_not_notice_that_one_is_killed(tmp_path: Path) -> None:
    async with RealtimeServer(SCRIPT, NoiseVoice()) as model, crew(tmp_path, model) as serve:
        carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token=TOKEN)
        async with asyncio.TaskGroup() as tasks:
            calls = tasks.create_task(
                place_many(18, carrier, caller, deadline_s=CALL_WITHIN_S, stagger_s=0.02)
            )
            body = await until(serve, calls=18)
            victim = max(body["workers"], key=lambda worker: worker["calls"])
            os.kill(victim["pid"], signal.SIGKILL)
            back = await until_back(serve, victim["worker"])
        assert back["status"] == "ok"
        assert back["workers"][victim["worker"]]["pid"] != victim["pid"]
        await until(serve, calls=0)
        serve.terminate()
        assert (await serve.end())[0] == 0
    logs = calls.result()
    hit = [log for log in logs if worker_of(log.call_sid) == victim["worker"]]
    others = [log for log in logs if log not in hit]
    assert (len(hit), len(others)) == (victim["calls"], 18 - victim["calls"])
    records = serve.records()
    nothing_is_lost(others, [session.log for session in model.sessions], records)
    for log in hit:  # their callers got the agent again
        assert (log.ended_by, log.received_audio != b"") == ("caller", True)
    again = {record["call_id"] for record in records} & {log.call_sid for log in hit}
    assert len(again) == len(hit)


async def test_lines_and_tokens_are_exact_over_all_workers(tmp_path: Path) -> None:
    script = says("Hello.")
    async with (
        RealtimeServer(script, ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model, "max_calls: 7, shutdown_grace_s: 0") as serve,
    ):
        async with asyncio.TaskGroup() as tasks:
            rung = [tasks.create_task(ring(serve, number)) for number in range(60)]
        answered = [each.result() for each in rung if "<Connect>" in each.result()[1]]
        assert len(answered) == 7
        assert len({worker_of(call_id) for call_id, _ in answered}) > 1
        tries = [(call_id, twiml) for call_id, twiml in answered for _ in range(30)]
        async with asyncio.TaskGroup() as tasks:
            let_in = [tasks.create_task(is_let_in(serve, *each)) for each in tries]
        counted = Counter(
            each[0] for each, task in zip(tries, let_in, strict=True) if task.result()
        )
        assert counted == dict.fromkeys((call_id for call_id, _ in answered), 1)
        serve.terminate()
        assert (await serve.end())[0] == 0
    assert Counter(record["call_id"] for record in serve.records()) == counted


async def is_let_in(serve: ServeProcess, call_id: str, twiml: str) -> bool:
    """Start a stream of a call and tell whether it hears anything."""
    stream, token = (
        re.search(pattern, twiml) for pattern in (r'<Stream url="([^"]+)', r'value="([^"]+)')
    )
    assert stream is not None
    assert token is not None
    try:
        async with RawStream(unescape(stream[1]), auth_token=TOKEN) as raw:
            raw.writer.call_sid = call_id
            await raw.begin(token=token[1])
            return await raw.read(timeout_s=20) is not None
    except (aiohttp.ClientError, ConnectionError):  # too many wait for their start
        return False


async def test_what_a_number_may_and_the_hour_costs_holds_over_all_workers(tmp_path: Path) -> None:
    limits = "limits: {calls_per_caller_per_minute: 5, spend_per_hour_usd: 0.000001}\n"
    async with (
        RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model, more=limits) as serve,
    ):
        url = serve.url + "/twilio/voice"

        async def ring_again(number: int) -> bool:
            form = {"CallSid": f"CA{number:032}", "From": CALLER, "To": CALLED}
            header = signature_header(TOKEN, url, form.items())
            return "<Connect>" in (await post(url, list(form.items()), header))[1]

        async with asyncio.TaskGroup() as tasks:
            rung = [tasks.create_task(ring_again(number)) for number in range(40)]
        assert sum(each.result() for each in rung) == 5
        hangs_up = ScriptedCaller([(CallerStep(hang_up=True, into_agent_ms=100), None)])
        carrier = SimulatedCarrier(url, auth_token=TOKEN, from_number="+15550107777")
        log = await carrier.place_call(hangs_up, deadline_s=CALL_WITHIN_S)
        assert log.received_audio
        (spender,) = [
            worker
            for worker in (await until(serve, calls=0))["workers"]
            if worker["worker"] == worker_of(log.call_sid)
        ]
        os.kill(spender["pid"], signal.SIGKILL)
        assert (await get(serve.url + "/readyz"))[0] == 503
        assert "<Reject" in (await ring(serve, 99))[1]
        await until_back(serve, spender["worker"])
        assert "<Reject" in (await ring(serve, 98))[1]
        serve.terminate()
        assert (await serve.end())[0] == 0


async def test_told_to_stop_all_workers_end_their_calls_in_good_manners(tmp_path: Path) -> None:
    trouble = load_phrases()["trouble"]
    async with (
        RealtimeServer(says("One two three."), ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model) as serve,
    ):
        carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token=TOKEN)
        async with asyncio.TaskGroup() as tasks:
            calls = tasks.create_task(
                place_many(9, carrier, lambda _: ScriptedCaller([]), deadline_s=CALL_WITHIN_S)
            )
            await until(serve, calls=9)
            serve.terminate()
        code, printed, said = await serve.end()
        assert all(session.log.closed_at is not None for session in model.sessions)
    assert (code, "Traceback" in said, "stopping: 9 calls" in printed) == (0, False, True)
    logs = calls.result()
    assert len({worker_of(log.call_sid) for log in logs}) > 1
    for log in logs:
        assert (log.ended_by, log.errors, log.violation_count) == ("bridge", [], 0)
        assert log.heard_audio.endswith(trouble) or trouble in log.heard_audio
    assert Counter(record["ended"] for record in serve.records()) == {"shutdown": 9}


async def test_told_twice_to_stop_it_ends_at_once(tmp_path: Path) -> None:
    async with (
        RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model, "shutdown_grace_s: 600") as serve,
    ):
        carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token=TOKEN)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                place_many(4, carrier, lambda _: ScriptedCaller([]), deadline_s=CALL_WITHIN_S)
            )
            body = await until(serve, calls=4)
            serve.terminate()
            assert await serve.next_line() == "stopping: 4 calls go on to their end\n"
            serve.terminate()
            code, _, _ = await serve.end()
    assert code == 128 + signal.SIGTERM
    for worker in body["workers"]:
        with pytest.raises(ProcessLookupError):
            os.kill(worker["pid"], 0)


async def test_a_worker_that_is_told_to_stop_ends_its_calls_and_begins_anew(tmp_path: Path) -> None:
    async with (
        RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model) as serve,
    ):
        pid = (await health(serve))["workers"][1]["pid"]
        os.kill(pid, signal.SIGTERM)
        body = await until_back(serve, 1)
        assert [worker["starts"] for worker in body["workers"]] == [1, 2, 1]
        serve.terminate()
        assert (await serve.end())[0] == 0


async def test_without_its_supervisor_workers_end_their_calls_and_themselves(
    tmp_path: Path,
) -> None:
    async with (
        RealtimeServer(says("Hello."), ToneVoice(), pace=INSTANT) as model,
        crew(tmp_path, model) as serve,
    ):
        carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token=TOKEN)
        async with asyncio.TaskGroup() as tasks:
            calls = tasks.create_task(
                place_many(4, carrier, lambda _: ScriptedCaller([]), deadline_s=CALL_WITHIN_S)
            )
            await until(serve, calls=4)
            os.kill(serve.pid, signal.SIGKILL)
        code, _, said = await serve.end()  # its output ends with the last of its workers
    assert (code, "Traceback" in said) == (-signal.SIGKILL, False)
    assert {log.ended_by for log in calls.result()} == {"bridge"}
    assert Counter(record["ended"] for record in serve.records()) == {"shutdown": 4}

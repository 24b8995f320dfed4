"""``voicebridge serve`` as a newcomer, a supervisor and a carrier meet it: a real process."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))

from model_harness import INSTANT, ToneVoice, says
from serve_process import ServeProcess, serving, started, write_config

from voicebridge import __version__
from voicebridge.bridge.phrases import load_phrases
from voicebridge.cli.serve import run_serve
from voicebridge.errors import ConfigError
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.notes import PhoneNote
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.steps import CallerStep

CALL_WITHIN_S = 20.0
TOKEN = {"TWILIO_AUTH_TOKEN": "carrier-auth-token"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


async def healthz(url: str) -> tuple[int, dict[str, object]]:
    async with (
        asyncio.timeout(5),
        aiohttp.ClientSession() as http,
        http.get(url + "/healthz") as response,
    ):
        return response.status, await response.json()


async def refusal(config: Path, *arguments: str, token: bool = False) -> tuple[int, str]:
    """Start it in vain; return the exit code and what it said about that."""
    async with started(config, *arguments, environment=TOKEN if token else None) as serve:
        code, printed, said = await serve.end()
    assert printed == ""
    assert "Traceback" not in said
    assert said.count("\n") == 1
    return code, said


async def test_it_does_not_serve_strangers_unless_told_to(config: Path) -> None:
    code, said = await refusal(config)
    assert code == 2
    assert "TWILIO_AUTH_TOKEN" in said
    assert "--insecure" in said


async def test_insecure_is_for_this_machine_only(config: Path) -> None:
    code, said = await refusal(config, "--insecure", "--host", "0.0.0.0")
    assert code == 2
    assert "--host 127.0.0.1" in said


async def test_a_port_in_use_is_told_plainly(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = await refusal(config, "--port", port, token=True)
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "--port" in said


@pytest.mark.parametrize("workers", ["0", "-1", "65"])
async def test_so_many_workers_are_told_plainly(config: Path, workers: str) -> None:
    code, said = await refusal(config, "--workers", workers, token=True)
    assert code == 2
    assert f"--workers: expected 1 to 64 workers, got {workers}" in said


async def test_a_port_in_use_is_told_once_however_many_workers_there_are(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = await refusal(config, "--port", port, "--workers", "3", token=True)
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said


async def test_what_is_wrong_in_a_persona_is_told_once_however_many_workers_there_are(
    config: Path,
) -> None:
    with (config / "personas" / "front-desk.yaml").open("a") as file:
        file.write("mistake: 1\n")
    code, said = await refusal(config, "--port", "0", "--workers", "3", token=True)
    assert code == 2
    assert "front-desk.yaml" in said


def test_where_no_process_can_be_forked_it_is_told_plainly(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.fork")
    with pytest.raises(ConfigError, match="cannot have more than one"):
        run_serve(config, None, 0, insecure=True, workers=2)


async def test_workers_answer_calls_by_an_embedded_model_each(config: Path) -> None:
    async with serving(config, "--insecure", "--workers", "2") as serve:
        assert "  workers   2\n" in serve.printed
        status, body = await healthz(serve.url)
        assert (status, body["status"], body["calls"]) == (200, "ok", 0)
        caller = ScriptedCaller([(CallerStep(hang_up=True, into_agent_ms=200), None)])
        log = await SimulatedCarrier(serve.url + "/twilio/voice").place_call(
            caller, deadline_s=CALL_WITHIN_S
        )
        assert (log.ended_by, log.errors, log.violation_count) == ("caller", [], 0)
        serve.terminate()
        code, printed, said = await serve.end()
    assert (code, "Traceback" in said) == (0, False)
    assert "stopping: " in printed
    (record,) = serve.records()
    assert (record["ended"], record["call_id"]) == ("caller_hung_up", log.call_sid)


async def test_with_no_key_and_no_carrier_it_answers_calls_by_the_embedded_model(
    config: Path,
) -> None:
    async with serving(config, "--insecure") as serve:
        assert f"voicebridge {__version__} listens on http://127.0.0.1:" in serve.printed[0]
        assert any("embedded" in line and "OPENAI_API_KEY" in line for line in serve.printed)
        assert any("NOT checked (--insecure)" in line for line in serve.printed)
        status, body = await healthz(serve.url)
        assert (status, body["status"], body["calls"]) == (200, "ok", 0)
        caller = ScriptedCaller([(CallerStep(hang_up=True, into_agent_ms=200), None)])
        log = await SimulatedCarrier(serve.url + "/twilio/voice").place_call(
            caller, deadline_s=CALL_WITHIN_S
        )
        assert (log.ended_by, log.errors, log.violation_count) == ("caller", [], 0)
        assert log.received_audio
        serve.terminate()
        code, printed, _ = await serve.end()
    assert code == 0
    assert "stopping: " in printed
    (record,) = serve.records()
    assert (record["ended"], record["call_id"]) == ("caller_hung_up", log.call_sid)


async def test_told_to_stop_in_a_call_it_tells_the_caller_and_ends_in_good_manners(
    config: Path,
) -> None:
    trouble = load_phrases()["trouble"]
    async with RealtimeServer(says("One two three."), ToneVoice(), pace=INSTANT) as model:
        environment = {**TOKEN, "OPENAI_API_KEY": "k", "VOICEBRIDGE_REALTIME_URL": model.url}
        async with serving(config, environment=environment) as serve:

            def stop_once_the_agent_speaks(note: PhoneNote) -> None:
                if note.kind == "agent" and not stopped:
                    stopped.append(serve)
                    serve.terminate()

            stopped: list[ServeProcess] = []
            carrier = SimulatedCarrier(
                serve.url + "/twilio/voice",
                auth_token=TOKEN["TWILIO_AUTH_TOKEN"],
                on_event=stop_once_the_agent_speaks,
            )
            log = await carrier.place_call(ScriptedCaller([]), deadline_s=CALL_WITHIN_S)
            code, printed, said = await serve.end()
        assert model.sessions[0].log.closed_at is not None
    assert log.ended_by == "bridge"
    assert log.received_audio.endswith(trouble)
    assert trouble in log.heard_audio
    assert (log.lost_at_close, log.violation_count) == ([], 0)
    assert code == 0
    assert "stopping: 1 calls" in printed
    assert "Traceback" not in said
    (record,) = serve.records()
    assert (record["ended"], record["call_id"]) == ("shutdown", log.call_sid)
    heard = record["spoken"][0]["text"]
    assert heard
    assert "One two three.".startswith(heard)

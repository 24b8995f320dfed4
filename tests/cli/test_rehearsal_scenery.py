"""What a rehearsal lays over persona and settings, and that it never reaches the outside."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from voicebridge.cli.main import main
from voicebridge.cli.scenery import Scenery
from voicebridge.cli.stage import Rehearsal, play
from voicebridge.errors import CarrierError, ConfigError
from voicebridge.personas.layers import load_persona
from voicebridge.rehearsal.scenario import load_scenario

CONFIG = Path(__file__).parent.parent.parent / "config"
TINY: dict[str, Any] = {
    "name": "tiny",
    "title": "A tiny call",
    "persona": "front-desk",
    "caller": [{"hang_up": True, "into_agent_ms": 100}],
    "agent": [{"say": "Hello."}],
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration, with one more rehearsal to come."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def written(config: Path, **more: Any) -> Path:
    file = config / "rehearsals" / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY | more, sort_keys=False))
    return file


def scenery(config: Path, **more: Any) -> Scenery:
    file = written(config, **more)
    return Scenery(
        config_dir=config,
        file=file,
        scenario=load_scenario(file),
        out=config.parent / "out",
        model_url="ws://127.0.0.1:9/v1/realtime",
        api_url="http://127.0.0.1:9",
    )


def test_a_persona_is_laid_over_for_the_rehearsal_alone(config: Path) -> None:
    before = {path: path.read_text() for path in config.rglob("*.yaml")}
    over = {"tools": ["hold"], "limits": {"silence_s": 2}}
    with scenery(config, persona_with=over).settings() as settings:
        persona = load_persona(settings.config_dir / "personas" / "front-desk.yaml").persona
        assert persona.tools == ("hold",)
        assert persona.limits.silence_s == 2
        assert persona.limits.max_duration_s == 900
        assert persona.name == "Harbour Dental front desk"
        assert settings.default_persona == "front-desk"
        assert settings.config_dir != config
    assert not settings.config_dir.exists()
    assert {path: path.read_text() for path in before} == before


def test_settings_are_laid_over_and_nothing_reaches_the_outside(config: Path) -> None:
    file = config / "voicebridge.yaml"
    text = file.read_text()
    text = text.replace("opt_out_file: null", "opt_out_file: /srv/real-opt-out.txt")
    text = text.replace("directory: null", "directory: /srv/real")
    text = text.replace("api_url: https://api.twilio.com", "api_url: https://api.example.com")
    file.write_text(text)
    over = {"limits": {"spend_per_call_usd": 0.5}, "outbound": {"from_hour": 3}}
    with scenery(config, settings_with=over).settings() as settings:
        assert settings.limits.spend_per_call_usd == 0.5
        assert settings.limits.pending_sockets == 100
        assert settings.outbound.from_hour == 3
        assert settings.outbound.api_url == "http://127.0.0.1:9"
        assert settings.outbound.opt_out_file == config.parent / "out" / "opt-out.txt"
        assert settings.records.directory == config.parent / "out"
        assert settings.greetings.directory is None
        assert settings.realtime.url == "ws://127.0.0.1:9/v1/realtime"
        assert (settings.server.host, settings.server.port) == ("127.0.0.1", 0)
        assert settings.public_url is None


def test_a_bridge_that_places_calls_knows_its_own_address(config: Path) -> None:
    over = {"outbound": {"enabled": True, "caller_id": "+15550100002"}}
    with scenery(config, settings_with=over).settings() as settings:
        assert settings.public_url == f"http://127.0.0.1:{settings.server.port}"
        assert settings.server.port > 0
        assert settings.outbound.callbacks_file == config.parent / "out" / "callbacks.jsonl"


def rehearsed(config: Path, **more: Any) -> None:
    written(config, **more)
    wanted = Rehearsal(config_dir=config, scenario="tiny", out=config.parent / "out")
    asyncio.run(play(wanted))


@pytest.mark.parametrize(
    ("more", "key", "told"),
    [
        ({"persona": "front-dest"}, "persona", "front-desk"),
        ({"persona": "front-dest", "persona_with": {"tools": []}}, "persona", "front-desk"),
        ({"persona_with": {"limits": {"silence": 1}}}, "persona_with.limits.silence", "silence_s"),
        ({"settings_with": {"limit": {}}}, "settings_with.limit", "not permitted"),
        (
            {"settings_with": {"server": {"max_calls": 0}}},
            "settings_with.server.max_calls",
            "greater than or equal to 1",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_laid_over_is_told_at_its_place(
    config: Path, more: dict[str, Any], key: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        rehearsed(config, **more)
    assert caught.value.key == key
    assert Path(caught.value.file or "") == config / "rehearsals" / "tiny.yaml"
    assert caught.value.line


def test_what_is_laid_over_is_checked_without_being_played(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in config.rglob("*.*")}
    assert main(["check", str(config)]) == 0, capsys.readouterr().out
    assert {path: path.read_bytes() for path in config.rglob("*.*")} == before
    file = written(config, persona_with={"limits": {"silence": 1}})
    assert main(["check", str(config)]) == 1
    told = capsys.readouterr().out
    assert f"✗ {file}" in told
    assert "persona_with.limits.silence" in told


def test_a_fault_of_another_persona_names_its_own_file(config: Path) -> None:
    (config / "personas" / "broken.yaml").write_text("name: Broken\n")
    with pytest.raises(ConfigError) as caught:
        rehearsed(config, persona_with={"tools": []})
    assert Path(caught.value.file or "").name == "broken.yaml"
    assert "rehearsal-" not in str(caught.value)


def test_a_call_that_the_bridge_does_not_place_is_told_as_the_error_it_is(config: Path) -> None:
    outbound = {"enabled": True, "caller_id": "+15550100002"}
    with pytest.raises(CarrierError, match="does not place the call"):
        rehearsed(
            config,
            settings_with={"outbound": outbound},
            carrier={"outbound": {"to": "+15550100033"}},
        )


def test_a_rehearsal_whose_expectation_fails_ends_with_status_one(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(config, expect={"heard": [{"words": "Good evening"}], "ended": "silence"})
    out = config.parent / "out"
    assert main(["rehearse", "tiny", "--config", str(config), "--out", str(out)]) == 1
    told = capsys.readouterr().out
    assert "not as expected: expected the call to end as silence" in told
    assert "not as expected: expected the caller to hear “Good evening”" in told
    assert "✗ expectations missed" in told
    assert "Not as it should be" in (out / "report.md").read_text()


def test_the_rehearsals_are_listed_with_their_titles(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rehearse", "--list", "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list((config / "rehearsals").glob("*.yaml")))
    assert lines == sorted(lines)
    shown = [" ".join(line.split()) for line in lines]
    assert "press-keys The agent types an extension by its tones" in shown
    (config / "rehearsals" / "broken.yaml").write_text("name: broken\n")
    assert main(["rehearse", "--list", "--config", str(config)]) == 1
    assert "cannot be played" in capsys.readouterr().out


def test_where_there_are_no_rehearsals_the_list_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rehearse", "--list", "--config", str(tmp_path)]) == 2
    assert "there are no rehearsals" in capsys.readouterr().err

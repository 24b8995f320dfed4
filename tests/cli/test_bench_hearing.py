"""The hearing bench, played small and for real; and its judgement, on logs that lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from voicebridge.cli.main import main
from voicebridge.personas.loader import load_personas
from voicebridge.rehearsal.hearing_bench import (
    Interrupter,
    NoiseVoice,
    long_talk,
    own_frame,
    session_of,
)
from voicebridge.rehearsal.hearing_figures import Coughs, Cuts, Setting, percentile
from voicebridge.rehearsal.hearing_report import HearingReport
from voicebridge.rehearsal.hearing_svg import hearing_svg
from voicebridge.rehearsal.session_log import SessionLog

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "hearing.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bench: eight calls that are cut, eight that cough, six in the crowd."""
    out = tmp_path_factory.mktemp("bench")
    small = ["--calls", "1", "--seconds", "9", "--crowd", "6", "--seed", "3"]
    main(["bench", "hearing", *small, "--out", str(out)])
    return out


@pytest.mark.slow
def test_every_setting_is_played_and_every_item_settled_as_it_was_heard(played: Path) -> None:
    report: dict[str, Any] = json.loads((played / "report.json").read_text(encoding="utf-8"))
    settings = report["settings"]
    ways = [(setting["delay_ms"], setting["jitter_ms"]) for setting in settings]
    assert ways == [(delay, jitter) for delay in (0, 40, 80, 150) for jitter in (0, 30)]
    assert report["problems"] == []
    everything = [*(setting["cuts"] for setting in settings), report["crowd"]]
    for cuts in everything:
        assert (cuts["wrong"], cuts["rejected"], cuts["stale_bytes"]) == ([], 0, 0)
        assert all(abs(error) <= 40 for error in cuts["errors_ms"])
    assert sum(cuts["barge_ins"] for cuts in everything) >= 14
    coughs = [setting["coughs"] for setting in settings]
    assert sum(cough["pauses"] for cough in coughs) >= 4
    assert all(abs(slip) <= 20 for cough in coughs for slip in cough["slips_ms"])
    assert sum(cough["cut"] for cough in coughs) == 0
    times = report["crowd"]["clear_in_bridge_ms"]["times"]
    assert len(times) == report["crowd"]["barge_ins"]
    assert all(time_ms > 0 for time_ms in times)


@pytest.mark.slow
def test_the_picture_is_one(played: Path) -> None:
    picture = ElementTree.parse(played / "hearing.svg").getroot()
    assert picture.tag.endswith("svg")


# --- the judgement --------------------------------------------------------------------------------


def report_of(**changes: Any) -> HearingReport:
    cuts = Cuts(barge_ins=2, errors_ms=[0.0, -20.0], items=3)
    for name, value in changes.items():
        setattr(cuts, name, value)
    report = HearingReport(seed=1, crowd=0, pinned=True)
    report.cuts[Setting(40, 30)] = cuts
    report.coughs[Setting(40, 30)] = Coughs(coughs=1, pauses=1, slips_ms=[20.0])
    return report


def test_a_bench_within_its_bars_is_well() -> None:
    report = report_of()
    assert report.ok
    assert "40 ms + 30" in report.table()
    assert "✗" not in report.table()


@pytest.mark.parametrize(
    "fault",
    [
        {"errors_ms": [0.0, 41.0]},
        {"wrong": ["item: part, the model believes whole"]},
        {"rejected": 1},
        {"stale_bytes": 160},
        {"missed": 1},
        {"problems": ["31951: malformed"]},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_whatever_goes_wrong_breaks_a_bar_and_is_shown(fault: dict[str, Any]) -> None:
    report = report_of(**fault)
    assert not report.ok
    assert "✗" in report.table()
    assert "a bar does not hold" in hearing_svg(report)


def test_a_cough_that_cut_or_lost_a_reply_breaks_a_bar() -> None:
    for coughs in (Coughs(coughs=1, pauses=1, cut=1), Coughs(coughs=1, slips_ms=[-40.0])):
        report = report_of()
        report.coughs[Setting(0, 0)] = coughs
        assert not report.ok


def test_a_percentile_is_a_value_that_was_there() -> None:
    assert percentile([], 50) is None
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(100)], 99) == 98.0


# --- the outside world ----------------------------------------------------------------------------


def test_a_session_is_found_by_the_one_frame_of_its_caller() -> None:
    sessions = [SessionLog(appended=bytearray(b"\xff" * 400 + own_frame(n))) for n in range(300)]
    for number in range(300):
        assert session_of(number, sessions) is sessions[number]
    assert session_of(300, sessions) is None


def test_the_same_seed_gives_the_same_talk_and_the_same_callers() -> None:
    assert long_talk(1) == long_talk(1) != long_talk(2)
    one, other = Interrupter(1, 1, 9000), Interrupter(1, 1, 9000)
    assert [one._plan() for _ in range(20)] == [other._plan() for _ in range(20)]
    steps = long_talk(1).agent
    assert any(len(step.also_say) == 2 for step in steps)
    assert any(step.call for step in steps)
    voice = NoiseVoice()
    said = [text for step in steps for text in (step.say, *step.also_say) if text]
    assert len({voice.speak(text).audio for text in said}) == len(said)


# --- the page -------------------------------------------------------------------------------------

SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_of_the_page_makes_a_persona(snippet: str, tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(f"name: A\ninstructions: B\n{snippet}", encoding="utf-8")
    (persona,) = load_personas(tmp_path).values()
    assert persona.barge_in.model_fields_set | (persona.model_fields_set - {"name", "instructions"})


def test_the_page_names_commands_and_files_that_are_there() -> None:
    assert len(SNIPPETS) >= 4
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    for name in re.findall(r"voicebridge rehearse ([\w-]+)", PAGE):
        assert (ROOT / "config" / "rehearsals" / f"{name}.yaml").is_file()
    with pytest.raises(SystemExit) as left:
        main(["bench", "hearing", "--help"])
    assert left.value.code == 0

"""``check`` says of every file whether it can be used, and exits accordingly."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from voicebridge.cli.check import run_check

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def config(tmp_path: Path, monkeypatch) -> Path:
    """Copy the shipped configuration and stand beside it, so that paths are short."""
    shutil.copytree(SHIPPED, tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return Path("config")


def check(config: Path, **environ: str) -> tuple[int, list[str]]:
    out = io.StringIO()
    status = run_check(config, environ, out)
    return status, out.getvalue().splitlines()


def change(file: Path, old: str, new: str) -> int:
    """Replace a piece of a file, and tell the line in which the new piece ends."""
    before, found, after = file.read_text().partition(old)
    assert found
    file.write_text(before + new + after)
    return (before + new).count("\n") + 1


def test_the_shipped_configuration_is_well_and_every_file_is_listed(config: Path) -> None:
    status, lines = check(config)
    assert status == 0
    rows = [line for line in lines if line.startswith("✓")]
    files = [*config.glob("*.yaml"), *config.glob("personas/*"), *config.glob("rehearsals/*")]
    assert {row.split()[1] for row in rows} == {*map(str, files), "environment"}
    assert "✗" not in "".join(lines)


def test_the_rows_are_aligned(config: Path) -> None:
    _, lines = check(config)
    rows = [line for line in lines if line.startswith("✓")]
    starts = {len(row) - len(row.split("  ", 1)[1].lstrip()) for row in rows}
    assert len(rows) > 3
    assert len(starts) == 1


def test_it_says_what_is_not_set_and_what_to_do_next(config: Path) -> None:
    _, lines = check(config)
    assert any("not set: OPENAI_API_KEY, TWILIO_AUTH_TOKEN, VOICEBRIDGE" in line for line in lines)
    assert "Next: `voicebridge rehearse --config config`" in lines[-2]


def test_with_everything_set_the_next_step_is_to_serve(config: Path) -> None:
    planted = "planted-secret"
    status, lines = check(
        config,
        OPENAI_API_KEY=planted,
        TWILIO_AUTH_TOKEN=planted,
        VOICEBRIDGE_PUBLIC_URL="https://bridge.example.com",
    )
    assert status == 0
    assert lines[-1].endswith("Next: `voicebridge serve --config config` takes calls.")
    assert planted not in "".join(lines)


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        ("voicebridge.yaml", "port: 8080", "prot: 8080",
         "config/voicebridge.yaml:{line}: server.prot: unknown key 'prot'; did you mean 'port'?"),
        ("voicebridge.yaml", "default_persona: front-desk", "default_persona: frontdesk",
         "config/voicebridge.yaml:{line}: default_persona: no persona 'frontdesk'; "
         "did you mean 'front-desk'?"),
        ("personas/night-line.yaml", "instructions: |", "instruction: |",
         "config/personas/night-line.yaml:{line}: instruction: unknown key 'instruction'; "
         "did you mean 'instructions'?"),
        ("personas/night-line.yaml", "[hang_up]", "[hangup]",
         "config/personas/night-line.yaml:{line}: tools[0]: unknown tool 'hangup'; "
         "did you mean 'hang_up'?"),
        ("personas/night-line.yaml", "[hang_up]", "[hang_up, opening_hours]",
         "config/personas/night-line.yaml: business: the tool opening_hours needs a business"),
        ("personas/night-line.yaml", "[hang_up]", "[]\nnumbers: ['+15550100002']",
         "config/personas/night-line.yaml:{line}: numbers[0]: the number +15550100002 is already "
         "answered by front-desk.yaml"),
        ("routing.yaml", "persona: night-line", "persona: nightline",
         "config/routing.yaml:{line}: rules[0].persona: no persona 'nightline'; did you mean "
         "'night-line'?"),
        ("routing.yaml", "\n    hours: \"18:00-8:00\"", "\n    hours: \"18-8\"",
         "config/routing.yaml:{line}: rules[0].hours: expected opening hours such as"),
        ("rehearsals/opening-hours.yaml", "persona: front-desk", "persona: front-dsk",
         "config/rehearsals/opening-hours.yaml:{line}: persona: no persona 'front-dsk'; "
         "did you mean 'front-desk'?"),
        ("rehearsals/opening-hours.yaml", "dialect: ga", "dialect: gaa",
         "config/rehearsals/opening-hours.yaml:{line}: dialect: expected 'ga' or 'beta', "
         "got 'gaa'; did you mean 'ga'?"),
    ],
)  # fmt: skip
def test_a_fault_is_told_below_its_file_with_place_and_remedy(
    config: Path, file: str, old: str, new: str, error: str
) -> None:
    line_changed = change(config / file, old, new)
    status, lines = check(config)
    assert status == 1
    (row,) = [line for line in lines if line.startswith("✗")]
    assert row.split()[1] == f"config/{file}"
    below = lines[lines.index(row) + 1 :]
    expected = "    " + error.format(line=line_changed)
    assert any(line.startswith(expected) for line in below), lines
    assert "then `voicebridge check config` again" in lines[-1]


def test_a_part_has_a_row_that_says_whether_anybody_extends_it(config: Path) -> None:
    (config / "personas/_house.yaml").write_text("voice: cedar\n")
    (config / "personas/_attic.yaml").write_text("voice: ash\n")
    change(config / "personas/night-line.yaml", "\nname:", "\nextends: _house.yaml\nname:")
    status, lines = check(config)
    assert status == 0
    notes = {line.split()[1]: line.split("  ")[-1].strip() for line in lines if line[:1] == "✓"}
    assert notes["config/personas/_house.yaml"] == "a part of others"
    assert notes["config/personas/_attic.yaml"] == "extended by none"


def test_a_variable_that_is_unknown_is_told_before_the_first_call(config: Path) -> None:
    change(config / "personas/front-desk.yaml", "{{ now }}", "{{ today }}")
    _, lines = check(config)
    (wrong,) = [line for line in lines if "unknown variable 'today'" in line]
    text = (config / "personas/front-desk.yaml").read_text().splitlines()
    assert text[int(wrong.split(":")[1]) - 1] == "instructions: |"


def test_every_fault_of_every_file_is_told_at_once(config: Path) -> None:
    change(config / "personas/night-line.yaml", "[hang_up]", "[hangup, nobody:knows, 'a:']")
    change(config / "personas/front-desk.yaml", "\nvoice: marin", "\nvoce: marin")
    change(config / "voicebridge.yaml", "level: info", "level: loud")
    status, lines = check(config)
    assert status == 1
    assert len([line for line in lines if line.startswith("✗")]) == 3
    assert lines[-1].startswith("5 faults found.")


def test_a_fault_of_the_environment_is_told_in_its_own_row(config: Path) -> None:
    status, lines = check(config, VOICEBRIDGE_PUBLIC_URL="https://a.example/twilio")
    assert status == 1
    (row,) = [line for line in lines if line.startswith("✗")]
    assert row == "✗ environment"
    assert lines[lines.index(row) + 1].startswith("    VOICEBRIDGE_PUBLIC_URL: expected a URL")


def test_a_folder_that_is_no_configuration_is_told_so(tmp_path: Path) -> None:
    status, lines = check(tmp_path / "nowhere")
    assert status == 1
    assert any("voicebridge.yaml: cannot be read: no such file" in line for line in lines)
    assert any("no persona here" in line for line in lines)


def test_rehearsals_are_not_required(config: Path) -> None:
    shutil.rmtree(config / "rehearsals")
    assert check(config)[0] == 0


def test_a_terminal_without_the_marks_gets_words(config: Path) -> None:
    change(config / "personas/night-line.yaml", "name: Harbour", "name: H\u00e4fen")
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    assert run_check(config, {}, out) == 0
    out.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert lines[0].startswith("ok   config/voicebridge.yaml")
    assert any("H?fen" in line for line in lines)

"""Every row of the table of turns: a state, what happens, the state it leads to, the steps."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from voicebridge.call.manners import BargeIn, Manners
from voicebridge.call.turn import ECHO_CHECK_S, Scene, State, Step, Turn

CUT = Manners()
MINIMUM = Manners(minimum_speech_ms=300, overhead_ms=800)
PAUSE = Manners(barge_in=BargeIn.PAUSE, minimum_speech_ms=300, overhead_ms=800)
PAUSE_UNWRITTEN = Manners(barge_in=BargeIn.PAUSE, transcribed=False)
GATE = Manners(echo_gate=True)
PROTECT = Manners(greeting_protected=True)

QUIET, HEARD = Scene(audible=False), Scene(audible=True)
PROTECTED = Scene(audible=True, protected=True)
ECHO = Scene(audible=True, echo=True)
NOW = 100.0

GO_ON = [Step.RESUME, Step.DISCARD, Step.RELEASE]
Happening = Callable[[Turn], list[Step]]


def starts(scene: Scene = HEARD, item: str = "u1") -> Happening:
    return lambda turn: turn.started(item, NOW, 500, scene)


def stops(lasted_ms: int = 2000) -> Happening:
    return lambda turn: turn.stopped(NOW, lasted_ms)


def words(text: str, item: str = "u1") -> Happening:
    return lambda turn: turn.transcribed(item, text)


def time_is_up(scene: Scene = HEARD) -> Happening:
    return lambda turn: turn.expired(NOW, scene)


@dataclass(frozen=True)
class Row:
    """``before`` brings a fresh turn into the row's state; ``wait_s`` is its deadline from now."""

    name: str
    manners: Manners
    before: tuple[Happening, ...]
    happening: Happening
    state: State
    steps: list[Step]
    wait_s: float | None = None


ROWS = [
    Row("agent silent", CUT, (), starts(QUIET), State.TALKING, [Step.HOLD, Step.CUT]),
    Row("cut at once", CUT, (), starts(), State.TALKING, [Step.HOLD, Step.CUT]),
    Row("silent agent, mode pause", PAUSE, (), starts(QUIET), State.TALKING, [Step.HOLD, Step.CUT]),
    Row("protected words", PROTECT, (), starts(PROTECTED), State.TALKING_OVER, [Step.HOLD]),
    Row("its own echo", GATE, (), starts(ECHO), State.GATED, [], ECHO_CHECK_S),
    Row("a minimum is asked", MINIMUM, (), starts(), State.WAITING, [Step.HOLD], 0.3),
    Row("mode pause", PAUSE, (), starts(), State.PAUSED, [Step.HOLD, Step.PAUSE], 1.5),
    Row("minimum passed", MINIMUM, (starts(),), time_is_up(), State.TALKING, [Step.CUT]),
    Row(
        "too short for the minimum",
        MINIMUM,
        (starts(),),
        stops(900),
        State.SILENT,
        [Step.DISCARD, Step.RELEASE],
    ),
    Row("paused and goes on", PAUSE, (starts(),), time_is_up(), State.TALKING, [Step.CUT]),
    Row("a cough", PAUSE, (starts(),), stops(1099), State.SILENT, GO_ON),
    Row("long enough", PAUSE, (starts(),), stops(1100), State.DECIDING, [], 1.5),
    Row(
        "no words to come",
        PAUSE_UNWRITTEN,
        (starts(),),
        stops(),
        State.SILENT,
        [Step.CUT, Step.ANSWER],
    ),
    Row(
        "words came",
        PAUSE,
        (starts(), stops()),
        words("yes"),
        State.SILENT,
        [Step.CUT, Step.ANSWER],
    ),
    Row("more speech", PAUSE, (starts(), stops()), starts(), State.TALKING, [Step.CUT]),
    Row("no words", PAUSE, (starts(), stops()), words(""), State.SILENT, GO_ON),
    Row("none in time", PAUSE, (starts(), stops()), time_is_up(), State.SILENT, GO_ON),
    Row(
        "no echo any more",
        GATE,
        (starts(ECHO),),
        time_is_up(HEARD),
        State.TALKING,
        [Step.HOLD, Step.CUT],
    ),
    Row("still an echo", GATE, (starts(ECHO),), time_is_up(ECHO), State.GATED, [], ECHO_CHECK_S),
    Row("the echo stops", GATE, (starts(ECHO),), stops(), State.SILENT, [Step.DISCARD]),
    Row("stops, ours", MINIMUM, (starts(QUIET),), stops(), State.SILENT, [Step.ANSWER]),
    Row("stops, the server's", CUT, (starts(),), stops(), State.SILENT, [Step.RELEASE]),
    Row(
        "noise into silence",
        MINIMUM,
        (starts(QUIET),),
        stops(900),
        State.SILENT,
        [Step.DISCARD, Step.RELEASE],
    ),
    Row(
        "stops over protected words",
        PROTECT,
        (starts(PROTECTED),),
        stops(),
        State.SILENT,
        [Step.ANSWER],
    ),
    # What is no row of the table changes nothing.
    Row("starts twice", CUT, (starts(),), starts(), State.TALKING, []),
    Row("starts twice in a pause", PAUSE, (starts(),), starts(), State.PAUSED, [], 1.5),
    Row("stops without a start", CUT, (), stops(), State.SILENT, []),
    Row("words without a question", PAUSE, (), words("yes"), State.SILENT, []),
    Row(
        "words of another item",
        PAUSE,
        (starts(), stops()),
        words("yes", "u0"),
        State.DECIDING,
        [],
        1.5,
    ),
    Row("a late deadline", CUT, (), time_is_up(), State.SILENT, []),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_of_the_table_holds(row: Row) -> None:
    turn = Turn(row.manners)
    for happening in row.before:
        happening(turn)
    assert row.happening(turn) == row.steps
    assert turn.state is row.state
    assert turn.deadline == (None if row.wait_s is None else NOW + row.wait_s)


def test_the_rows_visit_every_state_and_every_step() -> None:
    assert {row.state for row in ROWS} == set(State)
    assert {step for row in ROWS for step in row.steps} == set(Step)


@pytest.mark.parametrize("manners", [MINIMUM, PAUSE, GATE, PROTECT])
def test_whoever_weighs_speech_decides_alone(manners: Manners) -> None:
    assert manners.ours
    assert not CUT.ours


def test_only_a_caller_who_may_be_speaking_has_the_turn() -> None:
    turn = Turn(GATE)
    assert not turn.caller_speaking
    starts(ECHO)(turn)
    assert not turn.caller_speaking, "an echo is nobody"
    time_is_up(HEARD)(turn)
    assert turn.caller_speaking
    assert (turn.item_id, turn.since_ms) == ("u1", 500)

"""How far the carrier has played, told from marks and the carrier's clock."""

from voicebridge.call.playhead import ECHO_PATIENCE_MS, Playhead

MS = 8


def _playing(from_ms: int = 100) -> Playhead:
    """A second of audio that began to play at ``from_ms``, with a mark every 200 ms."""
    head = Playhead(0, 0)
    opening = head.mark(40, opens=True)
    for _ in range(5):
        head.sent += 200 * MS
        head.mark(40)
    head.echo(opening, from_ms)
    return head


def test_nothing_is_heard_before_the_opening_mark_comes_back() -> None:
    head = Playhead(0, 0)
    head.mark(0, opens=True)
    head.sent = 8000
    assert head.heard(900) == 0


def test_the_playhead_moves_at_eight_bytes_a_millisecond_from_the_echo() -> None:
    head = _playing(from_ms=100)
    assert head.heard(100) == 0
    assert head.heard(150) == 50 * MS


def test_it_never_passes_a_mark_that_has_not_come_back() -> None:
    head = _playing(from_ms=100)
    assert head.heard(500) == 200 * MS


def test_an_echo_opens_the_way_to_the_next_mark() -> None:
    head = _playing(from_ms=100)
    assert head.echo("0:1:1600", 320)
    assert head.heard(340) == 220 * MS


def test_a_late_echo_tells_of_an_underrun() -> None:
    head = _playing(from_ms=100)
    head.echo("0:1:1600", 700)
    assert head.heard(750) == 250 * MS


def test_it_never_passes_what_was_sent() -> None:
    head = Playhead(0, 0)
    name = head.mark(0, opens=True)
    head.sent = 80
    head.echo(name, 20)
    assert head.heard(9000) == 80


def test_an_echo_that_is_too_early_is_no_proof() -> None:
    head = _playing(from_ms=100)
    assert head.echo("0:1:1600", 120)
    assert head.heard(140) == 40 * MS
    assert head.estimated == 1


def test_a_carrier_that_returns_every_mark_at_once_leaves_the_clock() -> None:
    head = _playing(from_ms=100)
    for serial in range(1, 6):
        head.echo(f"0:{serial}:{serial * 1600}", 100)
    assert head.heard(600) == 500 * MS
    assert head.estimated == 5


def test_a_carrier_that_never_echoes_is_given_up_after_a_second() -> None:
    head = Playhead(0, 0)
    head.mark(40, opens=True)
    head.sent = 16000
    assert head.heard(40 + ECHO_PATIENCE_MS) == 0
    assert head.heard(41 + ECHO_PATIENCE_MS) == (1 + ECHO_PATIENCE_MS) * MS
    assert head.estimated == 1


def test_a_mark_that_is_overdue_in_mid_stream_stops_nothing() -> None:
    head = _playing(from_ms=100)
    due_ms = 100 + 200
    assert head.heard(due_ms + ECHO_PATIENCE_MS) == 200 * MS
    assert head.heard(due_ms + ECHO_PATIENCE_MS + 1) == 400 * MS


def test_a_mark_skipped_by_a_later_one_is_given_up() -> None:
    head = _playing(from_ms=100)
    head.echo("0:2:3200", 500)
    assert head.heard(520) == 420 * MS
    assert head.estimated == 1


def test_a_strange_mark_is_passed_over() -> None:
    head = _playing()
    assert not head.echo("somebody-else", 200)


def test_after_the_clear_a_returned_mark_is_not_heard() -> None:
    head = _playing(from_ms=100)
    head.close()
    for serial in range(1, 6):
        head.echo(f"0:{serial}:{serial * 1600}", 180)
    assert head.heard(180) == 80 * MS


def test_the_round_trip_is_told_by_a_mark_into_an_empty_queue() -> None:
    head = _playing(from_ms=100)
    assert head.rtt_ms == 60

"""The simulated player, checked by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.fake_runs import sample
from voxgate.harness.analysis.speed import (
    LIVE_METRICS,
    NOT_LIVE,
    NOT_RECORDED,
    ONE_CHUNK,
    STREAMING_METRICS,
    play,
    summarise_stalls,
)
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import AudioChunk

PIECES = st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.01, 5.0)), min_size=1, max_size=12)


def pieces(*pairs: tuple[float, float]) -> tuple[AudioChunk, ...]:
    return tuple(AudioChunk(arrived_s=arrived_s, audio_s=audio_s) for arrived_s, audio_s in pairs)


def test_a_stream_that_keeps_ahead_never_stalls():
    played = play(pieces((0.5, 1.0), (1.2, 1.0), (2.0, 1.0)))

    assert (played.underruns, played.stall_s) == (0, 0.0)
    assert played.longest_gap_s == pytest.approx(0.8)


def test_each_time_nothing_is_left_counts_and_its_silence_adds_up():
    played = play(pieces((1.0, 1.0), (2.5, 1.0), (3.0, 1.0), (5.0, 1.0)))  # over at 2.0, 3.5, 4.5

    assert played.underruns == 2
    assert played.stall_s == pytest.approx(0.5 + 0.5)
    assert played.longest_gap_s == pytest.approx(2.0)


def test_playing_starts_with_the_first_piece_however_late_it_is():
    assert play(pieces((9.0, 0.1))).stall_s == 0.0


def test_pieces_that_come_together_have_no_gap():
    assert play(pieces((1.0, 1.0), (1.0, 0.05), (1.0004, 0.05))).longest_gap_s is None


def test_a_piece_that_comes_just_in_time_is_in_time():
    assert play(pieces((0.1, 0.2), (0.1 + 0.2 + 1e-12, 1.0))).underruns == 0


def test_nothing_cannot_be_played():
    with pytest.raises(ValueError, match="nothing to play"):
        play(())


@given(PIECES)
def test_speech_and_stalls_fill_the_time_from_the_first_piece_to_the_end(pairs):
    arrived = sorted(arrived_s for arrived_s, _ in pairs)
    stream = pieces(*((at_s, audio_s) for at_s, (_, audio_s) in zip(arrived, pairs, strict=True)))
    played = play(stream)
    later = play(tuple(replace(piece, arrived_s=piece.arrived_s + 7.0) for piece in stream))

    assert 0 <= played.underruns < len(stream)
    assert played.stall_s <= arrived[-1] - arrived[0] + 1e-9
    assert (played.stall_s == 0.0) == (played.underruns == 0)
    # who is a millisecond late is on the edge
    assert later.stall_s == pytest.approx(played.stall_s, abs=0.02)


def heard(*pairs: tuple[float, float], audio_s: float = 30.0):
    return replace(
        sample("nfe-8", 0, 0, 2.0, audio_s, {}), chunks=pieces(*pairs) if pairs else None
    )


def test_every_metric_of_a_stream_has_its_value():
    stream = heard((0.5, 1.0), (2.0, 29.0))

    values = {name: value(stream) for name, value in STREAMING_METRICS.items()}
    assert values == {
        "first_audio_p50": 2.0,
        "longest_gap_p50": 1.5,
        "underruns": 2.0,
        "stall": 0.5,
        **dict.fromkeys(LIVE_METRICS, NOT_LIVE),
    }


def test_what_nobody_noted_is_missing_with_its_reason():
    unknown = heard()

    assert STREAMING_METRICS["first_audio_p50"](replace(unknown, first_audio_s=0.0)) == NOT_RECORDED
    assert {
        STREAMING_METRICS[name](unknown) for name in ("longest_gap_p50", "underruns", "stall")
    } == {NOT_RECORDED}
    assert STREAMING_METRICS["longest_gap_p50"](heard((0.5, 30.0))) == ONE_CHUNK
    assert isinstance(summarise_stalls("stall", [unknown]), Missing)


def test_underruns_are_counted_over_all_minutes_and_stalls_per_utterance():
    bad, good = heard((0.0, 1.0), (2.0, 29.0), audio_s=30.0), heard((0.0, 90.0), audio_s=90.0)

    assert summarise_stalls("underruns", [bad, good]) == pytest.approx(1 / 2.0)
    assert summarise_stalls("stall", [bad, good]) == pytest.approx(0.5)

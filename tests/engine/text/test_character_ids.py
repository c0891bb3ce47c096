"""
voxgate.engine.text.character_ids and voxgate.engine.duration.byte_rate: text as published
checkpoints expect it, and its duration.
"""

import pytest

from voxgate.engine.duration.byte_rate import FRAMES_PER_BYTE, LONGEST_S, MIN_FRAMES, ByteRate
from voxgate.engine.errors import EngineError
from voxgate.engine.text.character_ids import (
    character_ids,
    check_text,
    normalise_characters,
    split_text,
)
from voxgate.engine.weights.random_checkpoint import VOCABULARY

NUMBERS = {character: number for number, character in enumerate(VOCABULARY)}


def test_characters_count_from_one_and_the_space_is_the_first():
    assert character_ids("a b", NUMBERS) == (2, 1, 3)


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("Plain words, with signs.", "Plain words, with signs."),
        ("one;two", "one, two"),
        ("“Yes,” she said; it’s fine", '"Yes," she said, it\'s fine'),
        ("state-of-the-art", "state-of-the-art"),
        ("foo/bar (ten) bob@example.com", "foo/ bar ( ten) bob@ example.com"),
        ("well...and so on", "well ... and so on"),
        ("we'll", "we'll"),
        ("at 8:30", "at 8:30"),
        ("3.14 or 10,000", "3.14 or 10, 000"),
        ("a-b", "a-b"),
    ],
)
def test_text_is_normalised_as_by_the_published_front_end(text, normalised):
    assert normalise_characters(text) == normalised


def test_a_character_that_the_checkpoint_does_not_know_is_named():
    with pytest.raises(EngineError, match=r"vocab.txt has no '\\u4f60', '\\u597d'"):
        character_ids("Hello 你好", NUMBERS)


def test_text_is_cut_at_signs_and_long_clauses_between_words():
    text = "One two three. Four, five; six seven eight nine ten"

    assert split_text(text, 1000) == (text,)
    assert split_text(text, 16) == ("One two three.", "Four, five; six", "seven eight nine", "ten")
    assert split_text("incomprehensibilities", 5) == ("incomprehensibil", "ities")
    assert " ".join(split_text(text, 9)) == text


def test_a_word_that_is_too_long_is_cut_and_no_character_lost():
    for text in ("x" * 5000, "a " + "\u6f22" * 900 + " b", "https://" * 600):
        pieces = split_text(text, 100)
        assert max(len(piece.encode()) for piece in pieces) <= 100
        assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(("text", "words"), [(" \n", "empty"), ("x" * 5001, "5001 characters")])
def test_text_that_cannot_be_spoken_is_refused(text, words):
    with pytest.raises(EngineError, match=words):
        check_text(text)


def test_new_frames_are_the_recordings_frames_per_byte_by_the_speed():
    pace = ByteRate(frames=300, text_bytes=50, frames_per_s=93.75)

    assert pace.new_frames("x" * 25, 1.0) == 150
    assert pace.new_frames("x" * 25, 2.0) == 75
    assert pace.new_frames("é" * 25, 1.0) == 300, "bytes, not characters"
    assert pace.new_frames("x" * 9, 1.0) == int(6 * 9 / 0.3), "a short text is spoken slowly"
    assert pace.new_frames("x" * 9, 2.0) == int(6 * 9 / 0.6)
    assert ByteRate(frames=30, text_bytes=50, frames_per_s=93.75).new_frames("x", 2.0) == MIN_FRAMES


def test_without_a_recording_the_pace_is_a_readers():
    assert ByteRate(frames=0, text_bytes=0, frames_per_s=93.75).new_frames("x" * 40, 1.0) == int(
        40 * FRAMES_PER_BYTE
    )


def test_recording_and_new_speech_together_stay_within_the_limit():
    pace = ByteRate(frames=round(4 * 93.75), text_bytes=60, frames_per_s=93.75)

    assert pace.limit_bytes(1.0) == pytest.approx((LONGEST_S - 4) * 15, abs=1)
    assert pace.limit_bytes(2.0) == pytest.approx((LONGEST_S - 4) * 30, abs=1)


@pytest.mark.parametrize("text_bytes", [5, 500])
def test_a_text_that_is_hardly_the_recordings_is_refused(text_bytes):
    with pytest.raises(
        EngineError,
        match=f"reference_text has {text_bytes} characters, and the recording holds 4.0 s",
    ):
        ByteRate(frames=375, text_bytes=text_bytes, frames_per_s=93.75).check()

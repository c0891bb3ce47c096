"""
Prosody on voices whose melody and pauses are known, on real speech with a rise put in, and on what
has no prosody.
"""

import math

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, TEXT, speech, with_noise
from tests.harness.metrics.voices import contour, sung
from voxgate.engine.training.corpus import raise_end
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput, Need
from voxgate.harness.metrics.prosody import METRICS, marked_shares
from voxgate.harness.records.measurement import Missing, Value

RISE_S = 0.35


def score(
    name: str,
    frames: np.ndarray,
    *,
    rate_hz: int = RATE_HZ,
    text: str = "",
    statement: np.ndarray | None = None,
    emphasis: str | None = None,
) -> Value:
    (metric,) = (each for each in METRICS if each.metric.name == name)
    told = None if statement is None else Recording(statement, rate_hz)
    return metric.score(
        MetricInput(audio=Recording(frames, rate_hz), text=text, statement=told, emphasis=emphasis)
    )


def sentence(*, ends_on: float, semitones: float = 0.0, base_hz: float = 120.0) -> np.ndarray:
    """
    One second at `base_hz`, then RISE_S to `semitones` above it; `ends_on` seconds of silence
    follow.
    """
    end_hz = base_hz * 2.0 ** (semitones / 12.0)
    return sung(contour((1.0, base_hz, base_hz), (RISE_S, base_hz, end_hz), (ends_on, 0.0, 0.0)))


@pytest.mark.parametrize("semitones", [-5.0, 0.0, 4.0, 7.0])
def test_the_end_level_is_the_pitch_of_the_last_120_ms_above_the_median(semitones: float):
    middle_of_the_end = semitones * (1.0 - 0.060 / RISE_S)

    assert score("end_level", sentence(ends_on=0.3, semitones=semitones)) == pytest.approx(
        middle_of_the_end, abs=0.35
    )


def test_the_rise_of_a_question_is_its_end_level_less_the_statements():
    asked, told = sentence(ends_on=0.2, semitones=7.0), sentence(ends_on=0.2, semitones=-3.0)

    rise = score("question_rise", asked, statement=told)

    ends = [score("end_level", each) for each in (asked, told)]
    assert rise == pytest.approx(ends[0] - ends[1])
    assert rise == pytest.approx(10.0 * (1.0 - 0.060 / RISE_S), abs=0.7)


def test_a_question_said_as_the_statement_has_no_rise():
    assert score("question_rise", speech(), statement=speech()) == 0.0


def test_another_pitch_another_level_and_silence_around_it_are_no_rise():
    low, high = (sentence(ends_on=0.2, semitones=-3.0, base_hz=each) for each in (110.0, 130.0))
    padded = 0.1 * np.concatenate([np.zeros(RATE_HZ // 2), high, np.zeros(RATE_HZ // 3)])

    assert score("question_rise", padded, statement=low) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize("semitones", [3.0, 5.0, 7.0])
def test_a_rise_put_into_real_speech_is_found(semitones: float):
    told, asked = raise_end(speech(), semitones=0.0), raise_end(speech(), semitones=semitones)

    assert score("question_rise", asked, statement=told) == pytest.approx(
        semitones * (1.0 - 0.060 / RISE_S), abs=1.0
    )


def test_noise_does_not_hide_the_rise():
    told, asked = (with_noise(raise_end(speech(), semitones=each), 20.0) for each in (0.0, 7.0))

    assert score("question_rise", asked, statement=told) > 4.0


def test_range_and_median_of_a_known_ramp():
    ramp = sung(contour((2.0, 100.0, 200.0)))

    assert score("pitch_range", ramp) == pytest.approx(0.9 * 12.0, abs=0.3)
    assert score("pitch_median", ramp) == pytest.approx(100.0 * math.sqrt(2.0), rel=0.01)


def test_a_monotone_has_no_range_and_a_shift_of_pitch_moves_only_the_median():
    flat, wide = (
        sung(contour((1.0, 150.0, 150.0))),
        [sung(contour((1.0, low, 1.5 * low))) for low in (100.0, 200.0)],
    )

    assert score("pitch_range", flat) == pytest.approx(0.0, abs=0.1)
    assert score("pitch_range", wide[0]) == pytest.approx(score("pitch_range", wide[1]), abs=0.1)
    assert score("pitch_median", wide[1]) == pytest.approx(
        2.0 * score("pitch_median", wide[0]), rel=0.01
    )


def test_the_rate_counts_letters_and_digits_and_leaves_out_pauses():
    heard = sung(
        contour(
            (0.2, 0.0, 0.0),
            (1.0, 120.0, 120.0),
            (0.5, 0.0, 0.0),
            (1.0, 120.0, 120.0),
            (0.4, 0.0, 0.0),
        )
    )

    assert score("speech_rate", heard, text="Well, 10 o'clock: go!") == pytest.approx(
        14 / 2.0, rel=0.03
    )


@pytest.mark.parametrize("tempo", [0.9, 1.1])
def test_the_rate_follows_the_tempo(tempo: float):
    import soxr

    faster = soxr.resample(speech(), RATE_HZ * tempo, RATE_HZ)

    there, here = (score("speech_rate", each, text=TEXT) for each in (faster, speech()))
    assert there / here == pytest.approx(tempo, rel=0.015)


def test_a_text_without_letters_has_no_rate():
    assert score("speech_rate", speech(), text="?!") == Missing(
        "the text has no letter and no digit"
    )


def test_pauses_are_counted_and_measured():
    pieces = [
        (0.5, 120.0, 120.0),
        (0.3, 0.0, 0.0),
        (0.5, 120.0, 120.0),
        (0.6, 0.0, 0.0),
        (0.5, 120.0, 120.0),
    ]
    heard = sung(contour((1.0, 0.0, 0.0), *pieces, (1.0, 0.0, 0.0)))

    assert score("pause_count", heard) == 2.0
    assert score("longest_pause", heard) == pytest.approx(0.6, abs=0.03)
    assert score("pause_share", heard) == pytest.approx(0.9 / 2.4, abs=0.02)


def test_speech_without_a_pause_says_0_and_not_missing():
    assert [score(name, speech()) for name in ("pause_count", "longest_pause", "pause_share")] == [
        0.0,
        0.0,
        0.0,
    ]


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
def test_the_rate_of_the_file_hardly_matters(rate_hz: int):
    import soxr

    there = soxr.resample(speech(), RATE_HZ, rate_hz)

    for name, tolerance in {
        "end_level": 0.6,
        "pitch_range": 0.6,
        "pitch_median": 2.0,
        "speech_rate": 0.3,
    }.items():
        expected = score(name, speech(), text=TEXT)
        assert score(name, there, rate_hz=rate_hz, text=TEXT) == pytest.approx(
            expected, abs=tolerance
        ), name


FOUR = "aaaa bbbb, cccc dddd"
"""Each word lasts a quarter of the speech."""


def four_words(raised: int, semitones: float = 4.0) -> np.ndarray:
    """Four words of 0.4 s at 120 Hz, a pause of 0.5 s after the second; one of them is raised."""
    pitches = [120.0 * 2.0 ** (semitones * (index == raised) / 12.0) for index in range(4)]
    words = [(0.4, each, each) for each in pitches]
    return sung(contour(*words[:2], (0.5, 0.0, 0.0), *words[2:], (0.3, 0.0, 0.0)))


@pytest.mark.parametrize("index", range(4))
def test_a_raised_word_stands_out_by_what_it_was_raised(index: int):
    word = FOUR.replace(",", "").split()[index]

    assert score(
        "emphasis_prominence", four_words(index), text=FOUR, emphasis=word.upper()
    ) == pytest.approx(4.0, abs=0.3)
    assert score("emphasis_prominence", four_words(-1), text=FOUR, emphasis=word) == pytest.approx(
        0.0, abs=0.3
    )


@pytest.mark.parametrize(("raised", "word"), [(0, "cccc"), (0, "dddd"), (3, "aaaa"), (3, "bbbb")])
def test_a_word_does_not_stand_out_because_another_was_raised(raised: int, word: str):
    assert score(
        "emphasis_prominence", four_words(raised), text=FOUR, emphasis=word
    ) == pytest.approx(0.0, abs=0.3)


def test_a_word_that_is_not_there_or_has_no_voice_is_missing():
    silent = np.concatenate(
        [
            four_words(-1)[: int(0.8 * RATE_HZ)],
            0.02 * np.random.default_rng(0).standard_normal(RATE_HZ),
        ]
    )

    assert score("emphasis_prominence", speech(), text=TEXT, emphasis="hosp") == Missing(
        "'hosp' is no word of the text"
    )
    assert score("emphasis_prominence", speech(), text=TEXT, emphasis="...") == Missing(
        "'...' is no word of the text"
    )
    unvoiced = score("emphasis_prominence", silent, text="aaaaaaaa bbbb cccc", emphasis="cccc")
    assert isinstance(unvoiced, Missing)
    assert "of the word" in unvoiced.reason


NOTHING = {
    "empty": np.zeros(0),
    "one frame": np.ones(1),
    "50 ms of voice": sung(contour((0.05, 120.0, 120.0))),
    "silence": np.zeros(RATE_HZ),
    "an offset": np.full(RATE_HZ, 0.3),
    "NaN": np.full(RATE_HZ, np.nan),
    "infinity": np.full(RATE_HZ, np.inf),
    "noise": 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ),
    "full scale": np.tile([1.0, -1.0], RATE_HZ // 2),
}


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("name", [each.metric.name for each in METRICS])
@pytest.mark.parametrize("sound", NOTHING)
def test_whatever_the_audio_it_is_a_finite_number_or_a_reason(sound: str, name: str, rate_hz: int):
    value = score(
        name, NOTHING[sound], rate_hz=rate_hz, text="a b", statement=NOTHING[sound], emphasis="b"
    )

    assert isinstance(value, Missing) or math.isfinite(value)


@pytest.mark.parametrize(
    "sound", ["empty", "one frame", "50 ms of voice", "silence", "NaN", "noise"]
)
@pytest.mark.parametrize("name", ["question_rise", "end_level", "pitch_range", "pitch_median"])
def test_what_has_no_pitch_is_missing(sound: str, name: str):
    assert isinstance(score(name, NOTHING[sound], statement=speech()), Missing)


def test_a_statement_that_cannot_be_read_is_named():
    value = score("question_rise", speech(), statement=np.zeros(RATE_HZ))

    assert value == Missing("the statement: the audio is silent")


def test_a_recording_longer_than_the_networks_window_is_as_good_as_one_sentence():
    times = 31  # 90 s, where the network takes 30 s at once
    long = MetricInput(audio=Recording(np.tile(speech(), times), RATE_HZ))
    found = {each.metric.name: each.score(long) for each in METRICS if each.need is Need.NOTHING}

    assert found["pitch_median"] == pytest.approx(score("pitch_median", speech()), rel=0.02)
    assert found["pitch_range"] == pytest.approx(score("pitch_range", speech()), abs=0.5)
    assert found["pause_count"] == times - 1


def test_each_metric_says_what_it_needs():
    needs = {each.metric.name: each.need for each in METRICS if each.need is not Need.NOTHING}

    emphasis = ("emphasis_prominence", "emphasis_level", "emphasis_length")
    assert needs == {"question_rise": Need.STATEMENT, **dict.fromkeys(emphasis, Need.EMPHASIS)}


CLAUSES = "Abc def, ghi; jkl."


def in_clauses(*lengths_s: float, pause_s: float = 0.3) -> np.ndarray:
    """Return stretches of voice with pauses between them."""
    pieces = [piece for each in lengths_s for piece in ((each, 120.0, 120.0), (pause_s, 0.0, 0.0))]
    return sung(contour(*pieces))


@pytest.mark.parametrize(
    ("lengths_s", "text", "f1"),
    [
        ((1.0, 0.5, 0.5), CLAUSES, 1.0),
        ((2.0,), CLAUSES, 0.0),
        ((1.5, 0.5), CLAUSES, 2 / 3),
        ((0.4, 0.6, 0.5, 0.5), CLAUSES, 4 / 5),
        ((1.0, 1.0), "Abc def ghi jkl.", 0.0),
        ((2.0,), "Abc def ghi jkl.", 1.0),
        ((2.0,), "Dr. Abc has 3.5 of J. Ghi.", 1.0),
        ((1.0, 1.0), "\u00bfAbc def? \u00a1Ghi jkl!", 1.0),
    ],
)
def test_pauses_are_held_against_the_punctuation_inside_the_text(
    lengths_s: tuple[float, ...], text: str, f1: float
):
    assert score("pause_f1", in_clauses(*lengths_s), text=text) == pytest.approx(f1)


def test_pauses_are_held_against_the_words_to_be_heard():
    (metric,) = (each for each in METRICS if each.metric.name == "pause_f1")
    audio = Recording(in_clauses(1.0, 1.0), RATE_HZ)
    assert metric.score(MetricInput(audio=audio, text="1,5", spoken="abc, def")) == 1.0
    assert metric.score(MetricInput(audio=audio, text="1,5")) == 0.0


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("Yes, I am.", [0.5]),
        ("(Yes) I am", [0.5]),
        ("Yes \u2014 I am", [0.5]),
        ("well-known a.m. U.S. folk", []),
        ("No. I am.", [2 / 5]),
        ('He said: "So." Then', [6 / 12, 8 / 12]),
        ("\u4eca\u65e5\u306f\uff0c\u96e8\u3067\u3059\u3002", [0.5]),
    ],
)
def test_marks_are_placed_by_letters(text: str, shares: list[float]):
    assert marked_shares(text) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("lengths_s", "text", "precision", "recall"),
    [
        ((1.0, 0.5, 0.5), CLAUSES, 1.0, 1.0),
        ((2.0,), CLAUSES, 1.0, 0.0),
        ((1.5, 0.5), CLAUSES, 1.0, 0.5),
        ((0.4, 0.6, 0.5, 0.5), CLAUSES, 2 / 3, 1.0),
        ((1.0, 1.0), "Abc def ghi jkl.", 0.0, 1.0),
    ],
)
def test_precision_sees_pauses_too_many_and_recall_those_too_few(
    lengths_s: tuple[float, ...], text: str, precision: float, recall: float
):
    audio = in_clauses(*lengths_s)
    assert score("pause_precision", audio, text=text) == pytest.approx(precision)
    assert score("pause_recall", audio, text=text) == pytest.approx(recall)


def test_a_louder_word_stands_out_by_what_it_is_louder():
    plain = four_words(-1)
    louder = plain.copy()
    louder[int(0.42 * RATE_HZ) : int(0.78 * RATE_HZ)] *= 2.0
    gain, beside = (
        score("emphasis_level", louder, text=FOUR, emphasis=word)
        - score("emphasis_level", plain, text=FOUR, emphasis=word)
        for word in ("bbbb", "cccc")
    )
    assert gain == pytest.approx(6.0, abs=0.5)
    assert beside < -3.0

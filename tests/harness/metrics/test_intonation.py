"""
Intonation on voices whose melody is known, on speech with its end bent, and on texts of each kind.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from tests.harness.metrics.voices import contour, sung
from voxgate.engine.training.corpus import raise_end
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.intonation import METRICS, RISING
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.suite.sentence_kind import SentenceKind, sentence_kind


def score(name: str, frames: np.ndarray, take: np.ndarray | None = None, **given: str) -> Value:
    (metric,) = (each for each in METRICS if each.metric.name == name)
    other = None if take is None else Recording(take, RATE_HZ)
    return metric.score(MetricInput(audio=Recording(frames, RATE_HZ), reference=other, **given))


def ending(semitones: float) -> np.ndarray:
    """A second at 120 Hz, then 0.25 s to `semitones` above it."""
    end_hz = 120.0 * 2.0 ** (semitones / 12.0)
    return sung(contour((1.0, 120.0, 120.0), (0.25, 120.0, end_hz), (0.2, 0.0, 0.0)))


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("Where are you?", "en", SentenceKind.WH),
        ("In which city do you live?", "en", SentenceKind.WH),
        ("Hello! How are you?", "en-GB", SentenceKind.WH),
        ("Is it cold?", "en", SentenceKind.YES_NO),
        ('He said: "Are you there?"', "en", SentenceKind.YES_NO),
        ("Who is there? It is me.", "en", SentenceKind.STATEMENT),
        ("A list", "en", SentenceKind.STATEMENT),
        ("Tea or coffee?", "en", None),
        ("It is cold, isn't it?", "en", None),
        ("No way!", "en", None),
        ("Well...", "en", None),
        ("¿Vienes?", "es", SentenceKind.YES_NO),
        ("Hace frío, ¿verdad?", "es", SentenceKind.YES_NO),
        ("Si es así, ¿cuándo vienes?", "es-MX", SentenceKind.WH),
        ("¿Y con quién vas?", "es", SentenceKind.WH),
        ("¿Té o café?", "es", None),
        ("Dime qué quieres.", "es", SentenceKind.STATEMENT),
        ("Tu viens ?", "fr", None),
        ("", "en", None),
    ],
)
def test_the_last_sentence_decides_the_kind(text: str, language: str, kind: SentenceKind | None):
    assert sentence_kind(text, language) is kind


def test_an_end_that_falls_does_not_rise():
    assert score("end_rise", ending(-6.0)) < RISING


@pytest.mark.parametrize("semitones", [0.0, 3.0, 6.0])
def test_the_end_rises_by_what_it_lies_above_its_lowest(semitones: float):
    expected = semitones * (1.0 - 0.03 / 0.25)
    assert score("end_rise", ending(semitones)) == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize(("text", "rises"), [("Is it?", 1.0), ("Where?", 0.0), ("It is.", 0.0)])
def test_the_end_is_held_against_the_text(text: str, rises: float):
    bent = raise_end(speech(), semitones=6.0)
    assert score("intonation_fit", bent, text=text) == rises
    assert score("intonation_fit", ending(-4.0), text=text) == 1.0 - rises
    assert score("end_rise", bent) > RISING


def test_a_text_that_may_end_in_either_way_has_no_fit():
    assert isinstance(score("intonation_fit", ending(3.0), text="This or that?"), Missing)


def test_the_end_is_held_against_another_take():
    assert score("end_rise_error", ending(5.0), ending(5.0)) == 0.0
    assert score("end_rise_error", ending(5.0), ending(-3.0)) > 3.0
    assert score("end_rise_error", ending(5.0), np.zeros(RATE_HZ)) == Missing(
        "the other take: the audio is silent"
    )


def test_the_pace_is_the_others_speech_by_this():
    one = sung(contour((1.0, 120.0, 120.0), (0.5, 0.0, 0.0), (1.0, 120.0, 120.0)))
    slow = sung(contour((2.5, 120.0, 120.0)))
    assert score("pace_ratio", slow, one) == pytest.approx(0.8, abs=0.02)
    assert score("pace_ratio", one, one) == 1.0


@pytest.mark.parametrize("slope", [-4.0, -1.0, 2.0])
def test_declination_is_the_slope_within_phrases(slope: float):
    phrase = (1.5, 150.0, 150.0 * 2.0 ** (1.5 * slope / 12.0))
    told = sung(contour(phrase, (0.4, 0.0, 0.0), phrase, (0.4, 0.0, 0.0), phrase))
    assert score("declination", told) == pytest.approx(slope, abs=0.2)


def test_what_is_too_short_or_has_no_voice_is_missing():
    for name in ("end_rise", "declination"):
        for audio in (sung(contour((0.15, 120.0, 120.0))), np.zeros(RATE_HZ), np.full(9, np.nan)):
            assert isinstance(score(name, audio), Missing)

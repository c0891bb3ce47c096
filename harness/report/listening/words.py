"""
The words of a text on the time axis of its recording, by the recogniser that judges words, where it
is installed.

Loads torch and a network, which takes seconds: for the few takes that a page opens with.
"""

import functools
import importlib.util
from typing import TYPE_CHECKING

import numpy as np

from voxgate.harness.audio.recording import Recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper_weights import locate_weights
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing, not_installed
from voxgate.harness.records.run import OPENAI
from voxgate.harness.report.listening.differences import PlacedWord
from voxgate.harness.runner.recordings import KeptAudio

if TYPE_CHECKING:
    from voxgate.harness.models.whisper import WhisperRecognizer

RATE_HZ = 16_000


def placed_words(sound: KeptAudio, request: Request) -> tuple[PlacedWord, ...] | Missing:
    """
    Return where each word of a request stands in a take. Missing without the recogniser, for a text
    of another language than it knows, and for a take that does not fit its window.
    """
    recognizer = _recognizer(request.language)
    if isinstance(recognizer, Missing):
        return recognizer
    from voxgate.harness.models.word_times import word_times

    samples = Recording(sound.frames, sound.rate_hz).at(RATE_HZ).astype(np.float32)
    found = word_times(recognizer, samples, request.words, request.language)
    if isinstance(found, Missing):
        return found
    return tuple(
        PlacedWord(word=each.word, start_s=round(each.start_s, 2), end_s=round(each.end_s, 2))
        for each in found
        if any(map(str.isalnum, each.word))
    )


@functools.cache
def _recognizer(language: str) -> "WhisperRecognizer | Missing":
    """Load the recogniser of a language, once per process."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("whisper") is None:
        return not_installed(OPENAI)
    weights = locate_weights(None, language=language)
    if isinstance(weights, Missing):
        return weights
    from voxgate.harness.models.whisper import load_recognizer

    try:
        found = load_recognizer(weights.path, *weights.more)
    except HarnessError as error:
        return Missing(str(error))
    return found if found.knows(language) else Missing(f"the recogniser knows no {language!r}")

"""
Word and character errors of a transcript, after Whisper's normaliser on both sides.

Pure text: knows jiwer's alignment and the normalisers; knows neither recogniser nor torch. One
utterance at a time: `analysis/aggregate.py` computes corpus rates from these.

English has openai-whisper's EnglishTextNormalizer: spelling, contractions, numbers and currency
become one form. For every other language the package holds BasicTextNormalizer: lower case,
punctuation and symbols to spaces, brackets out, accents kept. It knows no numbers, so "25" in place
of "veinticinco" is an error: write numbers as words in such texts. It also treats the vowel signs
of Devanagari and its kin as symbols and so cuts their words; CER is the better metric there.
"""

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper_weights import UNSPACED
from voxgate.harness.records.cell import ENGLISH, primary_language
from voxgate.harness.records.measurement import (
    Metric,
    Missing,
    Value,
    how_to_install,
    not_installed,
)

Normalizer = Callable[[str], str]
ALIAS = "harness_normalizers"
NORMALISERS: Mapping[str, tuple[str, str]] = {
    "openai-whisper": ("whisper", "normalizers"),
    "whisper-normalizer": ("whisper_normalizer", ""),
}
"""
Package that decides which words are the same -> its import name, and the folder inside. Its version
is part of every word error rate's. The second is openai's code as a package of its own, without
torch, and with a few more contractions.
"""
HALF = 0.5

# The values of wer_macro are those of wer: only the summary differs, a plain mean over utterances
# in place of a weighted one. Many papers report it, and it is more sensitive where short sentences
# fail. wer_over_half is the share of utterances of which more than half the words are wrong: a
# mean of 5 % can be a slip in every sentence or one sentence of noise in twenty. The last four
# count words where a token model errs: heard before the text and after it, lost at its end, and
# said twice.
METRICS: tuple[Metric, ...] = (
    Metric(name="wer", unit="1", better="lower", version="1"),
    Metric(name="cer", unit="1", better="lower", version="1"),
    Metric(name="wer_macro", unit="1", better="lower", version="1"),
    Metric(name="cer_macro", unit="1", better="lower", version="1"),
    Metric(name="wer_over_half", unit="1", better="lower", version="1"),
    Metric(name="leading_words", unit="1", better="lower", version="1"),
    Metric(name="trailing_words", unit="1", better="lower", version="1"),
    Metric(name="lost_words", unit="1", better="lower", version="1"),
    Metric(name="repeated_words", unit="1", better="lower", version="1"),
)
"""
Metrics of a transcript, and so not of a `MetricInput`: many utterances are transcribed at once, by
one model (`scoring/transcription.py`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCounts:
    """
    Substitutions + deletions + insertions, and the length of the reference, in words (or
    characters).
    """

    errors: int
    reference_words: int

    @property
    def rate(self) -> float:
        """
        Errors per reference word; beyond 1.0 when the transcript inserts more than was
        said.

        >>> ErrorCounts(errors=1, reference_words=4).rate
        0.25
        """
        return self.errors / self.reference_words


def rates(words: ErrorCounts | Missing, chars: ErrorCounts | Missing) -> dict[str, Value]:
    """Return one utterance's value of each metric of METRICS."""
    wer, cer = (counts if isinstance(counts, Missing) else counts.rate for counts in (words, chars))
    over_half = wer if isinstance(wer, Missing) else float(wer > HALF)
    return {"wer": wer, "cer": cer, "wer_macro": wer, "cer_macro": cer, "wer_over_half": over_half}


MOST_REPEATED = 4
"""Words of the longest phrase that is looked for twice in a row."""
PLACES = ("leading_words", "trailing_words", "lost_words", "repeated_words")


def misplaced_words(
    reference: str, hypothesis: str, language: str = ENGLISH
) -> dict[str, float | Missing]:
    """
    Count the words of PLACES: heard before the first word of the text, heard after its last, of the
    text and not heard at its end, and heard twice in a row where the text has them once.

    Missing as in `word_errors`.
    """
    lacking = _lacking()
    if lacking is not None:
        return dict.fromkeys(PLACES, lacking)
    import jiwer

    expected, heard = (_normalized(text, language) for text in (reference, hypothesis))
    if not expected:
        return dict.fromkeys(PLACES, Missing("the reference text has no words"))
    (chunks,) = jiwer.process_words(expected, heard).alignments
    first, last = chunks[0], chunks[-1]
    leading = first.hyp_end_idx if first.type == "insert" else 0
    trailing = last.hyp_end_idx - last.hyp_start_idx if last.type == "insert" else 0
    lost = last.ref_end_idx - last.ref_start_idx if last.type == "delete" else 0
    repeated = _repeated(heard.split(), expected.split())
    return dict(zip(PLACES, map(float, (leading, trailing, lost, repeated)), strict=True))


def _repeated(heard: list[str], expected: list[str]) -> int:
    """Count the words that are the second of two equal phrases, where the text has not both."""
    count, at = 0, 0
    while at < len(heard):
        size = next(
            (
                size
                for size in range(MOST_REPEATED, 0, -1)
                if heard[at : at + size] == heard[at + size : at + 2 * size]
                and not _holds(expected, heard[at : at + 2 * size])
            ),
            0,
        )
        count, at = count + size, at + max(size, 1)
    return count


def _holds(words: list[str], phrase: list[str]) -> bool:
    size = len(phrase)
    return any(words[at : at + size] == phrase for at in range(len(words) - size + 1))


def word_errors(reference: str, hypothesis: str, language: str = ENGLISH) -> ErrorCounts | Missing:
    """
    Count the word errors of `hypothesis`.

    Missing when the normalised reference has no word (its rate is undefined), and where a package
    lacks.
    """
    lacking = _lacking()
    if lacking is not None:
        return lacking
    import jiwer

    reference_words, hypothesis_words = (
        _normalized(text, language) for text in (reference, hypothesis)
    )
    if not reference_words:
        return Missing("the reference text has no words")
    alignment = jiwer.process_words(reference_words, hypothesis_words)
    return _counts(
        alignment.hits, alignment.substitutions, alignment.deletions, alignment.insertions
    )


def char_errors(reference: str, hypothesis: str, language: str = ENGLISH) -> ErrorCounts | Missing:
    """
    Count the character errors of `hypothesis`, spaces included.

    Missing when the normalised reference is empty, and where a package lacks.
    """
    lacking = _lacking()
    if lacking is not None:
        return lacking
    import jiwer

    reference_text, hypothesis_text = (
        _normalized(text, language) for text in (reference, hypothesis)
    )
    if not reference_text:
        return Missing("the reference text has no words")
    alignment = jiwer.process_characters(reference_text, hypothesis_text)
    return _counts(
        alignment.hits, alignment.substitutions, alignment.deletions, alignment.insertions
    )


@functools.cache
def normalizer(language: str) -> Normalizer:
    """
    Return Whisper's normaliser for texts in a language.

    Where words are written without spaces, every letter stands alone, as in Whisper's own
    evaluation: WER is then CER. Raises HarnessError when no package with normalisers is installed.
    """
    english, basic = _normalizers()
    if language == ENGLISH:
        return cast(Normalizer, english())
    return cast(Normalizer, basic(split_letters=language in UNSPACED))


def normaliser() -> str:
    """Return the package of NORMALISERS that is used: the first that is installed."""
    return next((name for name in NORMALISERS if _place(name) is not None), next(iter(NORMALISERS)))


def _place(package: str) -> Path | None:
    """Return the folder with a package's normalisers, without importing it; None if absent."""
    name, inside = NORMALISERS[package]
    spec = importlib.util.find_spec(name)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (place := Path(folder) / inside / "english.py").is_file():
            return place.parent
    return None


def _lacking() -> Missing | None:
    """Return the package without which no word can be compared, as Missing; None if all are."""
    if importlib.util.find_spec("jiwer") is None:
        return not_installed("jiwer")
    return not_installed("whisper-normalizer") if _place(normaliser()) is None else None


@functools.cache
def _normalizers() -> tuple[Any, Any]:
    """
    Load the classes for English and for all other languages, by file.

    `import whisper.normalizers` would first run `whisper/__init__`, which imports torch and
    numba: seconds, and a gigabyte in a process that only compares strings.
    """
    folder = _place(normaliser())
    if folder is None:
        raise HarnessError(
            f"texts cannot be normalised: {normaliser()} is not installed; "
            f"{how_to_install('whisper-normalizer')}"
        )
    alias = f"{ALIAS}_{NORMALISERS[normaliser()][0]}"
    package = ModuleType(alias)
    package.__path__ = [str(folder)]
    sys.modules[alias] = package  # the modules' relative imports look it up there
    english, basic = (importlib.import_module(f"{alias}.{name}") for name in ("english", "basic"))
    return english.EnglishTextNormalizer, basic.BasicTextNormalizer


def _normalized(text: str, language: str) -> str:
    """Normalise a text; empty without a word: the normaliser leaves a lone "..." as a word."""
    normal = normalizer(primary_language(language))(text).strip()
    return normal if any(letter.isalnum() for letter in normal) else ""


def _counts(hits: int, substitutions: int, deletions: int, insertions: int) -> ErrorCounts:
    return ErrorCounts(
        errors=substitutions + deletions + insertions,
        reference_words=hits + substitutions + deletions,
    )

"""
Word and character errors of a transcript, after Whisper's normaliser on both sides.

Pure text: knows jiwer's alignment and the normalisers; knows neither recogniser nor torch. One
utterance at a time: `analysis/aggregate.py` computes corpus rates from these.

That normaliser takes text in brackets for a note of the transcriber, and removes it. In what is to
be spoken it is words like any other, so here the brackets of the reference go and their words stay;
of the transcript those in brackets stay that the reference has. Markup in <angle brackets> goes.

It also makes one form of "one four zero seven" and 1407, and drops "um". `wer_verbatim` does
neither: case and punctuation alone are no errors there. It reads the transcript in which the
recogniser was not allowed digits, unless the reference has some itself.

English has openai-whisper's EnglishTextNormalizer: spelling, contractions, numbers and currency
become one form. For every other language the package holds BasicTextNormalizer: lower case,
punctuation and symbols to spaces, brackets out, accents kept. It knows no numbers, so in Spanish
they become words, and accents that nobody hears go. In the others "25" in place of the words is an
error: write it as words. It also treats the vowel signs of Devanagari and its kin as symbols and so
cuts their words; CER is the better metric there.
"""

import functools
import importlib
import importlib.util
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from voxgate.harness.audio.spanish_numbers import numbers_as_words, sounding_alike
from voxgate.harness.audio.spanish_phones import SPANISH
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
# mean of 5 % can be a slip in every sentence or one sentence of noise in twenty. insertions,
# deletions and substitutions are the three parts of wer. The last five count words where a token
# model errs: heard before the text and after it, lost at its start and at its end, and said twice.
METRICS: tuple[Metric, ...] = tuple(
    Metric(name=name, unit="1", better="lower", version=version)
    for name, version in (
        ("wer", "2"),
        ("cer", "2"),
        ("wer_macro", "2"),
        ("cer_macro", "2"),
        ("wer_over_half", "2"),
        ("wer_verbatim", "1"),
        ("insertions", "1"),
        ("deletions", "1"),
        ("substitutions", "1"),
        ("leading_words", "2"),
        ("trailing_words", "2"),
        ("clipped_words", "1"),
        ("lost_words", "2"),
        ("repeated_words", "2"),
    )
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


KINDS = ("insertions", "deletions", "substitutions")
"""The parts of `wer`, each by the words of the reference."""
MOST_REPEATED = 4
"""Words of the longest phrase that is looked for twice in a row."""
PLACES = ("leading_words", "trailing_words", "clipped_words", "lost_words", "repeated_words")
NO_WORDS = Missing("the reference text has no words")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadText:
    """What is to be heard, and what was."""

    reference: str
    heard: str
    spelled: str = ""
    """What was heard, written without digits; empty where `heard` has none."""
    language: str = ENGLISH


@dataclass(frozen=True, slots=True, kw_only=True)
class TextErrors:
    """
    The errors of one transcript: the value of every metric of METRICS, and the counts behind those
    that are rates over the corpus.
    """

    values: Mapping[str, Value]
    words: ErrorCounts | Missing
    chars: ErrorCounts | Missing
    verbatim: ErrorCounts | Missing


def text_errors(text: ReadText | Missing) -> TextErrors:
    """Compare a transcript with its text; all is Missing where there is no transcript."""
    if isinstance(text, Missing):
        gaps = dict.fromkeys([metric.name for metric in METRICS], text)
        return TextErrors(values=gaps, words=text, chars=text, verbatim=text)
    pair = (text.reference, text.heard, text.language)
    words, chars, verbatim = word_errors(*pair), char_errors(*pair), verbatim_errors(text)
    values: dict[str, Value] = {
        **rates(words, chars),
        "wer_verbatim": verbatim if isinstance(verbatim, Missing) else verbatim.rate,
        **error_kinds(*pair),
        **misplaced_words(*pair),
    }
    return TextErrors(values=values, words=words, chars=chars, verbatim=verbatim)


TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor"}
"""As the recogniser writes what is said in full."""


def verbatim_errors(text: ReadText) -> ErrorCounts | Missing:
    """
    Count the word errors where only case, punctuation and the short form of TITLES are none.

    Where the reference has no digit, the transcript is read as it is spelled without any. Missing
    as in `word_errors`.
    """
    lacking = _lacking()
    if lacking is not None:
        return lacking
    import jiwer

    digits = any(letter.isdigit() for letter in text.reference)
    heard = text.heard if digits or not text.spelled else text.spelled
    expected, found = (_verbatim(each, text.language) for each in (text.reference, heard))
    return _counts(jiwer.process_words(expected, found)) if expected else NO_WORDS


def _verbatim(text: str, language: str) -> str:
    """Return the words of a text in lower case: letters with their marks, digits, apostrophes."""
    plain = unicodedata.normalize("NFKC", MARKUP.sub(" ", text)).lower().replace("\u2019", "'")
    letters = "".join(
        letter if letter == "'" or unicodedata.category(letter)[0] in "LMN" else " "
        for letter in plain
    )
    if primary_language(language) in UNSPACED:
        letters = " ".join(letters.replace(" ", ""))
    titles = TITLES if primary_language(language) == ENGLISH else {}
    words = filter(None, (word.strip("'") for word in letters.split()))
    return " ".join(titles.get(word, word) for word in words)


def error_kinds(
    reference: str, hypothesis: str, language: str = ENGLISH
) -> dict[str, float | Missing]:
    """
    Count inserted, deleted and substituted words, each by the words of the reference; their sum is
    `wer`. Missing as in `word_errors`.
    """
    aligned = _aligned(reference, hypothesis, language)
    if isinstance(aligned, Missing):
        return dict.fromkeys(KINDS, aligned)
    count = _counts(aligned).reference_words
    return {kind: getattr(aligned, kind) / count for kind in KINDS}


def misplaced_words(
    reference: str, hypothesis: str, language: str = ENGLISH
) -> dict[str, float | Missing]:
    """
    Count the words of PLACES: heard before the first word of the text, heard after its last, of the
    text and not heard at its start, not heard at its end, and heard twice in a row where the text
    has them once. A text of which nothing is heard is lost at its end alone.

    Missing as in `word_errors`.
    """
    aligned = _aligned(reference, hypothesis, language)
    if isinstance(aligned, Missing):
        return dict.fromkeys(PLACES, aligned)
    (chunks,) = aligned.alignments
    first, last = chunks[0], chunks[-1]
    leading = first.hyp_end_idx if first.type == "insert" else 0
    trailing = last.hyp_end_idx - last.hyp_start_idx if last.type == "insert" else 0
    clipped = first.ref_end_idx if first.type == "delete" and first is not last else 0
    lost = last.ref_end_idx - last.ref_start_idx if last.type == "delete" else 0
    repeated = _repeated(aligned.hypotheses[0], aligned.references[0])
    found = (leading, trailing, clipped, lost, repeated)
    return dict(zip(PLACES, map(float, found), strict=True))


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
    aligned = _aligned(reference, hypothesis, language)
    return aligned if isinstance(aligned, Missing) else _counts(aligned)


def _aligned(reference: str, hypothesis: str, language: str) -> Any:
    """Align the words of two texts, as jiwer's WordOutput; Missing as in `word_errors`."""
    return _lacking() or _alignment(reference, hypothesis, language)


@functools.lru_cache(maxsize=64)
def _alignment(reference: str, hypothesis: str, language: str) -> Any:
    import jiwer

    expected, heard = _normalized(reference, hypothesis, language)
    return jiwer.process_words(expected, heard) if expected else NO_WORDS


def char_errors(reference: str, hypothesis: str, language: str = ENGLISH) -> ErrorCounts | Missing:
    """
    Count the character errors of `hypothesis`, spaces included.

    Missing when the normalised reference is empty, and where a package lacks.
    """
    lacking = _lacking()
    if lacking is not None:
        return lacking
    import jiwer

    expected, heard = _normalized(reference, hypothesis, language)
    return _counts(jiwer.process_characters(expected, heard)) if expected else NO_WORDS


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


MARKUP = re.compile(r"<[^<>]*>")
BRACKETS = re.compile(r"[\[\](){}]")
BRACKETED = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")


def _normalized(reference: str, hypothesis: str, language: str) -> tuple[str, str]:
    """
    Normalise a text and its transcript; empty without a word: a lone "..." is left as a word.

    Words in brackets stay: all of the text, and those of the transcript that the text has.
    """
    expected = _normal(BRACKETS.sub(" ", reference), language)

    def opened(match: re.Match[str]) -> str:
        inside = match.group()[1:-1]
        phrase = _normal(inside, language).split()
        return f" {inside} " if phrase and _holds(expected.split(), phrase) else match.group()

    return expected, _normal(BRACKETED.sub(opened, hypothesis), language)


def _normal(text: str, language: str) -> str:
    if primary_language(language) == SPANISH:
        written = normalizer(SPANISH)(numbers_as_words(text))
        normal = " ".join(map(sounding_alike, written.split()))
    else:
        normal = normalizer(primary_language(language))(text).strip()
    return normal if any(letter.isalnum() for letter in normal) else ""


def _counts(alignment: Any) -> ErrorCounts:
    """Return the counts of jiwer's alignment of words or characters."""
    missed = alignment.substitutions + alignment.deletions
    return ErrorCounts(
        errors=missed + alignment.insertions, reference_words=alignment.hits + missed
    )

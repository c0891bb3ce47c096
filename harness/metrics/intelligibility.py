"""
Word and character errors of a transcript, after Whisper's English normaliser on both sides.

Pure text: knows jiwer's alignment and the normaliser; does not know who transcribed, nor torch. Rates are sums of errors
over sums of reference words (corpus) or means of each utterance's own rate (macro); both can pass 1.0 by insertions.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harness.errors import HarnessError
from harness.measurement import Missing, Value

Normalizer = Callable[[str], str]
ALIAS = "harness_whisper_normalizers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCounts:
    """Substitutions + deletions + insertions, and the length of the reference, in words (or characters)."""

    errors: int
    reference_words: int

    @property
    def rate(self) -> float:
        """Errors per reference word; beyond 1.0 when the transcript inserts more than was said."""
        return self.errors / self.reference_words


def word_errors(reference: str, hypothesis: str) -> ErrorCounts | Missing:
    """Word errors of `hypothesis`; Missing when the normalised reference has no word (its rate is undefined)."""
    import jiwer

    said, heard = _normalized(reference), _normalized(hypothesis)
    if not said:
        return Missing("the reference text has no words")
    found = jiwer.process_words(said, heard)
    return _counts(found.hits, found.substitutions, found.deletions, found.insertions)


def char_errors(reference: str, hypothesis: str) -> ErrorCounts | Missing:
    """Character errors of `hypothesis`, spaces counted; Missing when the normalised reference is empty."""
    import jiwer

    said, heard = _normalized(reference), _normalized(hypothesis)
    if not said:
        return Missing("the reference text has no words")
    found = jiwer.process_characters(said, heard)
    return _counts(found.hits, found.substitutions, found.deletions, found.insertions)


def corpus_rate(counts: Sequence[ErrorCounts | Missing]) -> Value:
    """Sum of errors over sum of reference words; Missing when any utterance is, since a gap would flatter the rate."""
    known = _all_known(counts)
    if isinstance(known, Missing):
        return known
    return sum(each.errors for each in known) / sum(each.reference_words for each in known)


def macro_rate(counts: Sequence[ErrorCounts | Missing]) -> Value:
    """Mean of the utterances' own rates, each utterance weighing the same; Missing as in `corpus_rate`."""
    known = _all_known(counts)
    if isinstance(known, Missing):
        return known
    return sum(each.rate for each in known) / len(known)


@functools.cache
def english_normalizer() -> Normalizer:
    """
    openai-whisper's EnglishTextNormalizer, loaded by file.

    `import whisper.normalizers` would first run `whisper/__init__`, which imports torch and numba: seconds, and a
    gigabyte in a process that only compares strings. Raises HarnessError when openai-whisper is not installed.
    """
    whisper = importlib.util.find_spec("whisper")
    if whisper is None or not whisper.submodule_search_locations:
        raise HarnessError("openai-whisper is not installed, so texts cannot be normalised; pip install openai-whisper")
    folder = Path(whisper.submodule_search_locations[0]) / "normalizers"
    spec = importlib.util.spec_from_file_location(ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[ALIAS] = module  # its own relative imports look it up there
    spec.loader.exec_module(module)
    return cast(Normalizer, module.EnglishTextNormalizer())


def _normalized(text: str) -> str:
    """Empty when nothing can be said: the normaliser leaves a lone "..." as a word."""
    normal = english_normalizer()(text)
    return normal if any(letter.isalnum() for letter in normal) else ""


def _counts(hits: int, substitutions: int, deletions: int, insertions: int) -> ErrorCounts:
    return ErrorCounts(errors=substitutions + deletions + insertions, reference_words=hits + substitutions + deletions)


def _all_known(counts: Sequence[ErrorCounts | Missing]) -> list[ErrorCounts] | Missing:
    if not counts:
        return Missing("no utterances")
    missing = [each for each in counts if isinstance(each, Missing)]
    if missing:
        return Missing(f"{len(missing)} of {len(counts)} utterances have no value: {missing[0].reason}")
    return [each for each in counts if isinstance(each, ErrorCounts)]

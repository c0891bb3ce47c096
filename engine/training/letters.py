"""
Learn letter-to-sound rules from a pronouncing dictionary.

Letters are aligned with phones, then the contexts that change the result are kept.
Used by `voxgate.engine.training.lexicon` only; it uses neither flite nor files.
The result is the table of `voxgate.engine.text.english.letter_to_sound`.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from voxgate.engine.text.english.letter_to_sound import EDGE, NEIGHBOURS, REACH, Letters
from voxgate.engine.text.english.lexicon import PHONE_LETTERS

Answers = list[str]
ROUNDS = 4  # of expectation-maximisation; the alignment no longer changes after three
MAX_PHONES = 2  # per letter, as the x of "box" or the u of "music"
# initial probabilities that a letter is silent, or stands for two phones
SILENT, DOUBLE = 0.1, 0.02


def _first_guess(words: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Count the phones near each letter (at the same relative position in the word)."""
    near: dict[str, Counter[str]] = defaultdict(Counter)
    for word, phones in words.items():
        for place, letter in enumerate(word):
            centre = place * len(phones) / len(word)
            for index in range(max(0, int(centre) - 1), min(len(phones), int(centre) + 2)):
                near[letter][phones[index]] += 1
    return near


class Scorer:
    """Log-probability of a chunk of phones given a letter, from counts; memoised."""

    def __init__(self, counts: Mapping[str, Counter[str]], *, first: bool) -> None:
        self._counts, self._first = counts, first
        self._totals = {letter: sum(counter.values()) + 1 for letter, counter in counts.items()}
        self._cache: dict[tuple[str, str], float] = {}

    def __call__(self, letter: str, chunk: str) -> float:
        """Return log p(chunk | letter), never minus infinity."""
        key = (letter, chunk)
        if key not in self._cache:
            self._cache[key] = math.log(self._share(letter, chunk))
        return self._cache[key]

    def _share(self, letter: str, chunk: str) -> float:
        counts, total = self._counts[letter], self._totals[letter]
        if not self._first:
            return (counts[chunk] + 1e-3) / total
        if not chunk:
            return SILENT
        return math.prod((counts[phone] + 1e-3) / total for phone in chunk) * (
            1.0 if len(chunk) == 1 else DOUBLE
        )


def _align(word: str, phones: str, score_of: Scorer) -> Answers | None:
    """
    Return the most probable split of `phones` over the letters (Viterbi).

    None if there are more phones than the letters can have.
    """
    best: dict[int, tuple[float, Answers]] = {0: (0.0, [])}
    for letter in word:
        following: dict[int, tuple[float, Answers]] = {}
        for used, (sum_so_far, chunks) in best.items():
            for size in range(min(MAX_PHONES, len(phones) - used) + 1):
                chunk = phones[used : used + size]
                total = sum_so_far + score_of(letter, chunk)
                if used + size not in following or total > following[used + size][0]:
                    following[used + size] = (total, [*chunks, chunk])
        best = following
    return best[len(phones)][1] if len(phones) in best else None


def align(words: Mapping[str, str]) -> dict[str, Answers]:
    """
    Split the coded phones of every word over its letters.

    Words with more phones than their letters can have are left out.
    """
    counts: Mapping[str, Counter[str]] = _first_guess(words)
    aligned: dict[str, Answers] = {}
    for number in range(ROUNDS):
        score_of = Scorer(counts, first=number == 0)
        alignments = {word: _align(word, phones, score_of) for word, phones in words.items()}
        aligned = {word: chunks for word, chunks in alignments.items() if chunks is not None}
        new_counts: dict[str, Counter[str]] = defaultdict(Counter)
        for word, chunks in aligned.items():
            for letter, chunk in zip(word, chunks, strict=True):
                new_counts[letter][chunk] += 1
        counts = new_counts
    return aligned


def _grow(context: str, cases: list[tuple[str, str]], answers: dict[str, str]) -> bool:
    """
    Add the contexts that start with `context` and return whether any is needed.

    A case is (neighbours, answer).
    """
    depth = len(context) - 1
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if depth < len(NEIGHBOURS) and len({answer for _, answer in cases}) > 1:
        for case in cases:
            groups[case[0][depth]].append(case)
    needed = False
    for letter, group in groups.items():
        answer = Counter(answer for _, answer in group).most_common(1)[0][0]
        answers[context + letter] = answer
        if _grow(context + letter, group, answers) or answer != answers[context]:
            needed = True
        else:
            del answers[context + letter]
    return needed


def learn(words: Mapping[str, tuple[str, ...]]) -> Letters:
    """
    Learn the table of contexts from a dictionary.

    Contexts that occur in one word only are kept: without them the phone error on unseen words
    rises from 6.3 to 7.6 %.
    """
    names = tuple(sorted(set().union(*words.values())))
    letter_of = dict(zip(names, PHONE_LETTERS, strict=False))
    aligned = align(
        {word: "".join(map(letter_of.__getitem__, phones)) for word, phones in words.items()}
    )
    cases: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for word, chunks in aligned.items():
        padded = EDGE * REACH + word + EDGE * REACH
        for place, chunk in enumerate(chunks, REACH):
            cases[padded[place]].append(
                ("".join(padded[place + offset] for offset in NEIGHBOURS), chunk)
            )
    answers: dict[str, str] = {}
    for letter, letter_cases in sorted(cases.items()):
        answers[letter] = Counter(answer for _, answer in letter_cases).most_common(1)[0][0]
        _grow(letter, letter_cases, answers)
    return Letters(names, answers)


def phone_error(pairs: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> tuple[int, int]:
    """
    Count wrong phones (substituted, inserted, deleted) over (true, guessed) pairs.

    Returns: (errors, true phones).
    """
    errors = total = 0
    for true, guess in pairs:
        row = list(range(len(guess) + 1))
        for index, phone in enumerate(true, 1):
            diagonal, row[0] = row[0], index
            for column, guessed_phone in enumerate(guess, 1):
                diagonal, row[column] = (
                    row[column],
                    min(row[column] + 1, row[column - 1] + 1, diagonal + (phone != guessed_phone)),
                )
        errors += row[-1]
        total += len(true)
    return errors, total

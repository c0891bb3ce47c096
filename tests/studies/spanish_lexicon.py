"""
Agreement of the Spanish rules with a lexicon: `python -m tests.studies.spanish_lexicon`.

The lexicon is gruut's (`pip install gruut-lang-es`, MIT): 595,857 words of region `es` without
stress, and eSpeak's reading of the same words with stress. Printed: the share of words whose phones
agree whole, before and after two sounds that are no phones of the voice (n before f and ch), what
differs most, and the share of words whose stress agrees.
"""

import difflib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import gruut_lang_es

from voxgate.engine.text.spanish.pronounce import pronounce

FOLDER = Path(gruut_lang_es.__file__).parent
NAMES = {"ɾ": "r", "r": "rr", "θ": "th", "ʝ": "y", "ʎ": "ll", "t͡ʃ": "ch", "ɲ": "ny"}
OFF_GLIDES = {"i": "y", "u": "w"}
SHOWN = 12

Phones = tuple[str, ...]


def rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each word of a lexicon and its first pronunciation."""
    yield from sqlite3.connect(path).execute(
        "select word, phonemes from word_phonemes where pron_order = 0"
    )


def from_gruut(pronunciation: str) -> Phones:
    """Return the phones of gruut by our names; its glide j is its y."""
    phones: list[str] = []
    for phone in pronunciation.split():
        if len(phone) == 2 and phone[0] == "w":
            phones += ["w", phone[1]]
        elif len(phone) == 2 and phone[1] in OFF_GLIDES:
            phones += [phone[0], OFF_GLIDES[phone[1]]]
        else:
            phones.append(NAMES.get(phone, phone))
    return tuple(phones)


def ours(word: str) -> Phones:
    """Return our phones without stress, with the glide j as y."""
    return tuple("y" if x == "j" else x.rstrip("1") for x in pronounce([word])[0])


def without_allophones(theirs: Phones) -> Phones:
    """Return gruut's phones with n before f and ch, which it writes m and ny."""
    following = (*theirs[1:], "")
    return tuple(
        "n" if (phone, after) in {("m", "f"), ("ny", "ch")} else phone
        for phone, after in zip(theirs, following, strict=True)
    )


def report_phones() -> None:
    """Print the agreement of the phones."""
    count = whole = folded = 0
    kinds: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    for word, pronunciation in rows(FOLDER / "lexicon.db"):
        said, theirs = ours(word), from_gruut(pronunciation)
        count, whole = count + 1, whole + (said == theirs)
        theirs = without_allophones(theirs)
        folded += said == theirs
        if said != theirs:
            kind = difference(theirs, said)
            kinds[kind] += 1
            examples[kind].append(word)
    print(f"{count} words: {whole / count:.2%} whole, {folded / count:.2%} without allophones")
    for kind, number in kinds.most_common(SHOWN):
        print(f"{number:6d}  {kind:24s}  {', '.join(examples[kind][:4])}")


def difference(theirs: Phones, said: Phones) -> str:
    """Return what differs, theirs first."""
    matcher = difflib.SequenceMatcher(None, theirs, said, autojunk=False)
    return "; ".join(
        f"{' '.join(theirs[a:b])} -> {' '.join(said[c:d])}"
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    )


def stress_of(phones: Phones, mark: str) -> tuple[str, int]:
    """Return the stressed vowel, and how many of a, e, o stand from it to the end."""
    place = next(index for index, phone in enumerate(phones) if mark in phone)
    plain = [phone.strip("1ˈˌ").replace("ɛ", "e") for phone in phones[place:]]
    return plain[0][0], sum(phone[:1] in {"a", "e", "o"} for phone in plain)


def report_stress() -> None:
    """Print the agreement of the stress, of words with one."""
    count = same = 0
    for word, pronunciation in rows(FOLDER / "espeak" / "lexicon.db"):
        theirs, said = tuple(pronunciation.split()), pronounce([word])[0]
        once = sum("ˈ" in phone for phone in theirs) == 1
        if once and sum(phone.endswith("1") for phone in said) == 1:
            count += 1
            same += stress_of(theirs, "ˈ") == stress_of(said, "1")
    print(f"{count} words with one stress: {same / count:.2%} the same")


if __name__ == "__main__":
    report_phones()
    report_stress()

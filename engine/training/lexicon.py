"""
Build the two tables of the text front-end from flite, and check the front-end against it.

    python -m voxgate.engine.training.lexicon            write lexicon_en.txt.xz, letters_en.txt.xz
                                                         in engine/text/english (4 minutes)
    python -m voxgate.engine.training.lexicon --check    print the phone error of the front-end
                                                         against flite

Needs Debian's `flite` (its program `t2p` prints the phones that `flite -psdur` speaks, without
making audio) and the word lists `wamerican` and `wbritish`, which only select the words.
At run time neither is needed.
"""

import itertools
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from voxgate.engine.alphabet import PHONES, SILENCE
from voxgate.engine.text.english import letter_to_sound, lexicon, pronounce
from voxgate.engine.text.english.lexicon import Phones
from voxgate.engine.text.english.word_tables import words_of
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.training.letters import learn, phone_error
from voxgate.engine.training.texts import training_sentences

TABLES = Path(letter_to_sound.__file__).parent
HELDOUT = Path(__file__).parent / "heldout.txt"
WORD_LISTS = (Path("/usr/share/dict/american-english"), Path("/usr/share/dict/british-english"))
ORIGIN = (
    "word pronunciations printed by flite 2.2 (CMU lexicon; Carnegie Mellon University, BSD-like "
    "licence)"
)
EXTRA_WORDS = words_of(
    "o'clock ma'am y'all email emails online website websites app apps blog blogs smartphone wifi "
    "internet laptop selfie emoji emojis youtube google facebook twitter iphone covid miz hmm shh "
    "huh wow yeah yep nope okay ok gonna wanna gotta kilowatt gigabyte gigabytes terabyte "
    "terabytes megahertz gigahertz kilohertz celsius euro euros bitcoin podcast podcasts streaming "
    "livestream"
)
CONTRACTIONS = words_of(
    "ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't "
    "needn't shan't shouldn't wasn't weren't won't wouldn't i'm you're we're they're let's it's "
    "that's what's who's he's she's there's here's where's how's"
)
CORRECTED = {  # where flite is audibly wrong
    "isn't": "ih z ax n t",
    "hasn't": "hh ae z ax n t",
    "haven't": "hh ae v ax n t",
    "i'm": "ay m",
    "a": "ax",
    "live": "l ih v",
    "lives": "l ih v z",
}
CORRECTED_NOUNS = {"live": "l ay v", "lives": "l ay v z"}
EXCLUDED_WORDS = frozenset({"st", "dr"})  # flite expands them as abbreviations
# each with its phones before and after the word
VERB_CARRIERS = (("to {}", 2, 0), ("they will {}", 5, 0), ("he {} the", 2, 2))
NOUN_CARRIERS = (("in {}", 2, 0), ("the {} of", 2, 2), ("for {}", 3, 0))
WORDS_AT_ONCE = 100
LETTERS_HELD_OUT = 3_000
CHECKED_TRAINING_SENTENCES = 2_000
SEED = 1


def flite_phones(texts: Sequence[str]) -> list[Phones]:
    """Return flite's phones of each of `texts`, none of which may contain a pause."""
    phones_of_texts: list[Phones] = []
    for start in range(0, len(texts), WORDS_AT_ONCE):
        phones_of_texts += _flite_batch(list(texts[start : start + WORDS_AT_ONCE]))
    return phones_of_texts


def flite_sentence(text: str) -> Phones:
    """Return flite's phones of one text, pauses included."""
    completed = subprocess.run(["t2p", text], capture_output=True, text=True, check=True)
    return tuple(re.sub(r"[0-9]", "", completed.stdout).split())


def _flite_batch(texts: list[str]) -> list[Phones]:
    """
    Return flite's phones of several texts, joined by commas.

    Where the pauses do not separate them, each half is passed alone.
    """
    line = " ".join(flite_sentence(", ".join(texts)))
    groups = [tuple(group.split()) for group in re.split(rf"\b{SILENCE}\b", line)][1:-1]
    if len(groups) == len(texts):
        return groups
    assert len(texts) > 1, f"flite does not say {texts[0]!r} in one piece: {line}"
    half = len(texts) // 2
    return _flite_batch(texts[:half]) + _flite_batch(texts[half:])


def word_list() -> list[str]:
    """Return the words for the dictionary: the plain words of both word lists, and ours."""
    listed = set(" ".join(path.read_text() for path in WORD_LISTS).lower().split())
    plain = {word for word in listed if re.fullmatch(r"[a-z]+", word)}
    return sorted((plain | set(EXTRA_WORDS) | set(CONTRACTIONS)) - EXCLUDED_WORDS)


def citations(words: Sequence[str]) -> dict[str, Phones]:
    """Return each word's phones without context, with our corrections."""
    phones_of_texts = dict(zip(words, flite_phones(words), strict=True))
    return phones_of_texts | {word: tuple(phones.split()) for word, phones in CORRECTED.items()}


def readings(
    words: Mapping[str, Phones], carriers: Sequence[tuple[str, int, int]]
) -> dict[str, Phones]:
    """
    Return the homographs: words that flite pronounces differently in one of `carriers`, with those
    phones.
    """
    plain = [word for word in words if "'" not in word and word not in {"a", "the"}]
    differing: dict[str, Phones] = {}
    for carrier, before, after in carriers:
        for word, phones in zip(
            plain, flite_phones([carrier.format(word) for word in plain]), strict=True
        ):
            reading = phones[before : len(phones) - after]
            if reading != words[word]:
                differing.setdefault(word, reading)
    return differing


def without_regular(words: Mapping[str, Phones], homographs: Iterable[str]) -> dict[str, Phones]:
    """
    Return the words whose phones `voxgate.engine.text.english.pronounce.inflected` does not derive
    exactly.
    """
    needed = set(homographs) | set(CORRECTED)

    def find(word: str) -> Phones | None:
        return words.get(word) or pronounce.inflected(word, find)

    return {
        word: phones
        for word, phones in words.items()
        if word in needed or pronounce.inflected(word, find) != phones
    }


def build_lexicon(words: Mapping[str, Phones]) -> None:
    """Write the dictionary, and print its size."""
    verbs, nouns = readings(words, VERB_CARRIERS), readings(words, NOUN_CARRIERS)
    # flite tags "the object" as a verb
    nouns = {word: phones for word, phones in nouns.items() if phones != verbs.get(word)}
    nouns |= {word: tuple(phones.split()) for word, phones in CORRECTED_NOUNS.items()}
    stored = without_regular(words, [*verbs, *nouns])
    data = lexicon.pack(ORIGIN, lexicon.Lexicon(words=stored, verbs=verbs, nouns=nouns))
    (TABLES / lexicon.TABLE).write_bytes(data)
    print(
        f"dictionary: {len(words)} words, {len(stored)} stored, {len(verbs | nouns)} homographs, "
        f"{len(data)} bytes"
    )


def build_letters(words: Mapping[str, Phones]) -> None:
    """Write the letter table, and print its size and its error on unseen words."""
    spelled = {word: phones for word, phones in words.items() if word.isalpha() and len(word) > 1}
    table = letter_to_sound.pack(learn(spelled))
    (TABLES / letter_to_sound.TABLE).write_bytes(table)
    print(f"letters: {len(table)} bytes")
    print_letter_error(spelled)


def print_letter_error(words: Mapping[str, Phones]) -> None:
    """Train the letter table without some words, and print its error on those."""
    order = sorted(words)
    random.Random(SEED).shuffle(order)
    unseen = order[:LETTERS_HELD_OUT]
    table = learn({word: words[word] for word in order[LETTERS_HELD_OUT:]})
    errors, total = phone_error((words[word], table.pronounce(word)) for word in unseen)
    right = sum(words[word] == table.pronounce(word) for word in unseen)
    print(
        f"letters on {len(unseen)} unseen words: phone error {errors / total:.2%}, words right "
        f"{right / len(unseen):.1%}"
    )


def frontend_phones(text: str) -> Phones:
    """
    Return the front-end's phones of one text, pauses included; adjacent pauses of two chunks are
    one.
    """
    ids = itertools.chain.from_iterable(chunk.phones for chunk in phonemise(text))
    phones = [PHONES[index] for index in ids]
    return tuple(
        phone
        for place, phone in enumerate(phones)
        if phone != SILENCE or phones[place - 1 : place] != [SILENCE]
    )


def _without_pauses(phones: Phones) -> Phones:
    return tuple(phone for phone in phones if phone != SILENCE)


def check(name: str, texts: Sequence[str], *, examples: int = 0) -> float:
    """
    Print the phone error of the front-end against flite on `texts`, and the first differences.

    Returns: the phone error.
    """
    pairs = [(flite_sentence(text), frontend_phones(text)) for text in texts]
    plain = [(_without_pauses(true), _without_pauses(ours)) for true, ours in pairs]
    errors, total = phone_error(plain)
    pauses = sum(true.count(SILENCE) != ours.count(SILENCE) for true, ours in pairs)
    print(
        f"{name}: phone error {errors / total:.3%} ({errors} of {total}), {pauses} of {len(texts)} "
        "with other pauses"
    )
    for text, (true, ours) in zip(texts, plain, strict=True):
        if true != ours and examples > 0:
            examples -= 1
            print(f"  {text}\n    flite {' '.join(true)}\n    ours  {' '.join(ours)}")
    return errors / total


def main(arguments: Sequence[str]) -> int:
    """Run `--check` or build, and return the exit code."""
    if "--check" in arguments:
        check("heldout.txt", HELDOUT.read_text().splitlines(), examples=50)
        check(
            "training texts",
            list(training_sentences(CHECKED_TRAINING_SENTENCES, SEED, frozenset())),
            examples=8,
        )
    else:
        words = citations(word_list())
        build_lexicon(words)
        build_letters(words)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

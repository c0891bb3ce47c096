"""The rules agree with gruut's lexicon, and a rule that eats a d is found."""

from pathlib import Path

import pytest

from voxgate.engine.text.spanish import pronounce as module
from voxgate.engine.text.spanish.pronounce import pronounce

LINES = Path(__file__).with_name("lexicon_sample.txt").read_text(encoding="utf-8").splitlines()
SAMPLE = dict(line.split(" ", 1) for line in LINES if not line.startswith("#"))
# a lost hiatus, an n as m and as ny, an x that begins a word
LEXICON_ERRS = {"oírnos", "enmadrad", "desinhibiéremos", "xerografiaría"}
# a participle, a verb, a noun and an adverb, each in the phones of every region but for its z and y
IN_DO = {
    "todo": "t o1 d o", "puedo": "p w e1 d o", "cansado": "k a n s a1 d o", "lado": "l a1 d o",
    "nada": "n a1 d a", "pasado": "p a s a1 d o", "cuando": "k w a1 n d o", "dedos": "d e1 d o s",
}  # fmt: skip


def wrong_in_do() -> list[str]:
    return [
        word
        for region in ("es", "rioplatense", "mexico", "colombia")
        for word, phones in IN_DO.items()
        if " ".join(pronounce([word], region)[0]) != phones
    ]


def test_the_sample_of_the_lexicon_agrees() -> None:
    said = {
        word: " ".join("y" if phone == "j" else phone.rstrip("1") for phone in pronounce([word])[0])
        for word in SAMPLE
    }
    assert len(SAMPLE) == 160
    assert {word for word in SAMPLE if said[word] != SAMPLE[word]} == LEXICON_ERRS


def test_no_region_eats_the_d_of_todo() -> None:
    assert wrong_in_do() == []


def test_a_planted_rule_that_eats_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another front-end's rule for the River Plate made "too" of "todo" and "pueo" of "puedo"."""
    real = module.regional

    def eaten(words, region):  # type: ignore[no-untyped-def]
        return tuple(
            phones[:-2] + phones[-1:]
            if phones[-2:] == ("d", "o") and region == "rioplatense"
            else phones
            for phones in real(words, region)
        )

    monkeypatch.setattr(module, "regional", eaten)
    assert {"todo", "puedo"} <= set(wrong_in_do())


def test_a_region_that_nobody_reads_is_found() -> None:
    """Each region but the default changes the phones of its own words."""
    words = "la llave azul está en el cielo".split()
    said = {region: pronounce(words, region) for region in ("es", "rioplatense", "mexico")}
    assert len(set(said.values())) == 3
    assert pronounce(words, "colombia") == said["mexico"]

"""Spanish letters to phones, with stress, glides and regions."""

import pytest

from voxgate.engine.alphabet import SPANISH_PHONES
from voxgate.engine.errors import EngineError
from voxgate.engine.text.spanish.pronounce import pronounce, spell
from voxgate.engine.text.spanish.syllables import syllables

# phones of region `es`, one word a line
WORDS = """
llave ll a1 b e
yo y o1
calle k a1 ll e
mayo m a1 y o
hielo y e1 l o
deshielo d e s y e1 l o
hueso w e1 s o
cacahuete k a k a w e1 t e
chihuahua ch i w a1 w a
perro p e1 rr o
pero p e1 r o
rosa rr o1 s a
honra o1 n rr a
alrededor a l rr e d e d o1 r
israel i s rr a e1 l
subrayar s u b rr a y a1 r
padre p a1 d r e
guerra g e1 rr a
guitarra g i t a1 rr a
agua a1 g w a
pingüino p i n g w i1 n o
averigüe a b e r i1 g w e
queso k e1 s o
quórum k w o1 r u m
cielo th j e1 l o
zapato th a p a1 t o
casa k a1 s a
acción a k th j o1 n
piscina p i s th i1 n a
excelente e k s th e l e1 n t e
taxi t a1 k s i
xilófono s i l o1 f o n o
méxico m e1 x i k o
gente x e1 n t e
jirafa x i r a1 f a
gigante x i g a1 n t e
niño n i1 ny o
chico ch i1 k o
vaca b a1 k a
enviar e m b j a1 r
psicología s i k o l o x i1 a
día d i1 a
baúl b a u1 l
país p a i1 s
oír o i1 r
aire a1 j r e
causa k a1 w s a
ciudad th j u d a1 d
viuda b j u1 d a
ruido rr w i1 d o
construí k o n s t r w i1
lingüística l i n g w i1 s t i k a
leíais l e i1 a j s
cambiáis k a m b j a1 j s
paraguay p a r a g w a1 j
rey rr e1 j
muy m u1 j
prohibir p r o j b i1 r
caos k a1 o s
friísimo f r i i1 s i m o
joven x o1 b e n
jóvenes x o1 b e n e s
reloj rr e l o1 x
robots rr o b o1 t s
virrey b i rr e1 j
inglés i n g l e1 s
fácilmente f a1 th i l m e1 n t e
felizmente f e l i1 th m e1 n t e
lamente l a m e1 n t e
deshacer d e s a th e1 r
innato i n n a1 t o
kilo k i1 l o
pizza p i1 t s a
spray e s p r a1 j
whisky w i1 s k i
software s o1 f t w e r
todo t o1 d o
puedo p w e1 d o
querés k e r e1 s
vení b e n i1
"""
# word, region, phones
REGIONS = """
llave rioplatense sh a1 b e
llave mexico y a1 b e
llave colombia y a1 b e
yo rioplatense sh o1
yo mexico y o1
hielo rioplatense j e1 l o
paranoia rioplatense p a r a n o1 j a
paranoia mexico p a r a n o1 y a
sushi es s u1 s i
sushi rioplatense s u1 sh i
yerba rioplatense sh e1 r b a
zapato rioplatense s a p a1 t o
zapato mexico s a p a1 t o
cielo colombia s j e1 l o
piscina mexico p i s i1 n a
excelente colombia e k s e l e1 n t e
fiesta rioplatense f j e1 x t a
fiesta mexico f j e1 s t a
bizco rioplatense b i1 x k o
casas rioplatense k a1 s a s
casa rioplatense k a1 s a
instante rioplatense i n s t a1 n t e
extra rioplatense e1 k s t r a
querés rioplatense k e r e1 s
todo rioplatense t o1 d o
cansado rioplatense k a n s a1 d o
puedo rioplatense p w e1 d o
"""


def rows(table: str, columns: int) -> list[list[str]]:
    return [line.split(maxsplit=columns) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("word", "phones"), rows(WORDS, 1))
def test_a_word_is_said_as_it_is_spelt(word: str, phones: str) -> None:
    assert " ".join(pronounce([word])[0]) == phones


@pytest.mark.parametrize(("word", "region", "phones"), rows(REGIONS, 2))
def test_a_region_has_its_own_phones(word: str, region: str, phones: str) -> None:
    assert " ".join(pronounce([word], region)[0]) == phones


def test_an_s_is_breathed_across_words_but_not_before_a_vowel_or_a_pause() -> None:
    words = "los gatos y las aves".split()
    assert [phones[-1] for phones in pronounce(words, "rioplatense")] == ["x", "s", "i", "s", "s"]


def test_small_words_have_no_stress_but_at_the_end_of_a_phrase_and_as_nouns() -> None:
    assert pronounce(["la", "casa"])[0] == ("l", "a")
    assert pronounce(["dáme", "la"])[1] == ("l", "a1")
    said = pronounce("el sobre está sobre la mesa".split())
    assert said[1] == ("s", "o1", "b", "r", "e")
    assert said[3] == ("s", "o", "b", "r", "e")
    assert pronounce(["sí"])[0] == ("s", "i1")
    assert pronounce(["si", "vas"])[0] == ("s", "i")


def test_capitals_and_words_without_vowels_are_spelt() -> None:
    assert pronounce(["DVD"])[0] == tuple("d e1 u1 b e d e1".split())
    assert pronounce(["DVD"], "mexico")[0] == tuple("d e1 b e1 d e1".split())
    assert pronounce(["km"])[0] == spell("km") == tuple("k a1 e1 m e".split())


@pytest.mark.parametrize("region", ["es", "rioplatense", "mexico", "colombia"])
def test_every_word_has_phones_of_the_voice_and_one_stress(region: str) -> None:
    for word, _ in rows(WORDS, 1):
        (phones,) = pronounce([word], region)
        assert set(phones) <= set(SPANISH_PHONES), word
        stresses = sum(phone.endswith("1") for phone in phones)
        assert stresses == (2 if word in {"fácilmente", "felizmente"} else 1), word


def test_foreign_letters_have_sounds() -> None:
    for word in ("façade", "müller", "šumava", "łódź", "þór", "naïve", "dvořák", "smørrebrød"):
        assert pronounce([word])[0]
    assert pronounce(["x", "ñ", "y"])[0] == tuple("e1 k i s".split())


def test_an_unknown_region_is_told() -> None:
    with pytest.raises(EngineError, match=r"andaluz.*rioplatense"):
        pronounce(["hola"], "andaluz")


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("padre", "p a1 - d r e"), ("atlas", "a1 t - l a s"), ("instante", "i n s - t a1 n - t e"),
        ("leíais", "l e - i1 - a j s"), ("construir", "k o n s - t r w i1 r"), ("sol", "s o1 l"),
        ("ahora", "a - o1 - r a"), ("pueblo", "p w e1 - b l o"), ("perro", "p e1 - rr o"),
    ],
)  # fmt: skip
def test_a_word_has_its_syllables(word: str, parts: str) -> None:
    assert " - ".join(map(" ".join, syllables(pronounce([word])[0]))) == parts


def test_a_vowel_that_no_word_has_changes_nothing() -> None:
    assert syllables(("s", "t")) == (("s", "t"),)

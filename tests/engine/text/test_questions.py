"""Kinds of question, in both languages, and which of them rise."""

import pytest

from voxgate.engine.errors import EngineError
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.text.spoken import QuestionKind

SPANISH = """
wh ¿Cuándo llega el tren?
wh ¿Y a qué hora llega el tren?
wh ¿De quién es este libro?
wh ¿Por qué no me lo dijiste?
wh Si llueve, ¿qué hacemos?
wh Si llueve, qué hacemos?
wh Pero ¿dónde estabas?
wh ¿Qué hora es, por favor?
wh Como estas?
wh ¡Hola! ¿Cuántas quieres?
yes_no ¿Vienes mañana?
yes_no ¿Sabes qué hora es?
yes_no ¿Sabes dónde está?
yes_no Vienes mañana, ¿verdad?
yes_no Qué frío hace, ¿no?
yes_no Qué frío hace, no?
yes_no ¿Que viene mañana?
yes_no ¿Cuando llegues me llamas?
yes_no ¿A las tres?
yes_no ¿Quieres té o café?
none Vienes mañana.
none ¡Qué frío!
none ¿Vienes? Pues claro.
"""
ENGLISH = """
wh Where are you going?
wh And what is it?
wh In which room?
yes_no Are you going?
yes_no It is cold, isn't it?
yes_no Where you are, right?
yes_no Do you know what time it is?
none You are going.
"""


def rows(table: str) -> list[tuple[str, str]]:
    return [(kind, text) for kind, _, text in (x.partition(" ") for x in table.split("\n") if x)]


@pytest.mark.parametrize(("kind", "text"), rows(SPANISH))
def test_a_spanish_question_has_its_kind_and_only_yes_or_no_rises(kind: str, text: str) -> None:
    chunk = phonemise(text, language="es")[-1]
    assert chunk.question_kind is QuestionKind(kind)
    assert chunk.question is (kind == "yes_no")


@pytest.mark.parametrize(("kind", "text"), rows(ENGLISH))
def test_an_english_question_has_its_kind_and_rises_as_the_voice_does(kind: str, text: str) -> None:
    chunk = phonemise(text)[-1]
    assert chunk.question_kind is QuestionKind(kind)
    assert chunk.question is (kind != "none")


def test_a_long_question_keeps_its_kind_when_it_is_split() -> None:
    text = "¿Cuándo " + "vamos a ver aquella casa tan grande, " * 8 + "la de la playa?"
    chunks = phonemise(text, language="es", max_characters=100)
    assert len(chunks) > 2
    assert [chunk.question_kind for chunk in chunks[:-1]] == [QuestionKind.NONE] * (len(chunks) - 1)
    assert chunks[-1].question_kind is QuestionKind.WH


def test_an_unknown_language_or_region_is_told() -> None:
    with pytest.raises(EngineError, match=r"language 'fr' is unknown; .*en, es"):
        phonemise("Bonjour", language="fr")
    with pytest.raises(EngineError, match=r"region 'chile' is unknown"):
        phonemise("Hola", language="es", region="chile")


def test_what_spanish_cannot_say_is_told() -> None:
    assert phonemise("Hola 世界 amigo", language="es")[0].dropped == "世界"
    with pytest.raises(EngineError, match="give Spanish words"):
        phonemise("世界", language="es")

"""Word and character errors by hand, after Whisper's normaliser."""

import subprocess
import sys

import pytest

from voxgate.harness.metrics import word_errors as module
from voxgate.harness.metrics.word_errors import (
    METRICS,
    ErrorCounts,
    ReadText,
    char_errors,
    error_kinds,
    misplaced_words,
    normalizer,
    rates,
    text_errors,
    verbatim_errors,
    word_errors,
)
from voxgate.harness.records.measurement import Missing, not_installed


def counts(errors: int, words: int) -> ErrorCounts:
    return ErrorCounts(errors=errors, reference_words=words)


@pytest.mark.parametrize(
    ("said", "heard", "errors", "words"),
    [
        ("the cat sat", "the cat sat", 0, 3),
        ("the cat sat", "the bat sat", 1, 3),
        ("the cat sat", "the sat", 1, 3),
        ("the cat sat", "the cat sat down", 1, 3),
        ("the cat sat", "", 3, 3),
        ("cat", "one cat and one dog", 4, 1),
    ],
)
def test_substitutions_deletions_and_insertions_each_count_one(
    said: str, heard: str, errors: int, words: int
):
    assert word_errors(said, heard) == counts(errors, words)


def test_spelling_numbers_case_and_punctuation_are_no_errors():
    assert word_errors(
        "The colour is grey, isn't it? Twenty-five!", "the color is gray is not it 25"
    ) == counts(0, 8)


def test_an_empty_hypothesis_has_rate_one_and_insertions_may_pass_it():
    assert word_errors("the cat", "") == counts(2, 2)
    assert rates(word_errors("cat", "a big cat on mats"), Missing("not counted"))["wer"] == 4.0


@pytest.mark.parametrize(
    ("said", "heard", "errors", "words"),
    [
        ("[laughs] I did not know.", "Laughs, I did not know.", 0, 5),
        ("[laughs] I did not know.", "I did not know.", 1, 5),
        ("[laughs] I did not know.", "[laughs] I did not know.", 0, 5),
        ("Call 1407 (room two).", "Call 1407, room 2.", 0, 4),
        ("Call 1407 (room two).", "Call 1407 (room two).", 0, 4),
        ("Call 1407 (room two).", "Call 1407.", 2, 4),
        ("I did not know.", "(upbeat music) I did not know.", 0, 4),
        ("Take <b>two</b> {or three}.", "take two or three", 0, 4),
    ],
)
def test_words_in_brackets_are_words_of_the_text(said: str, heard: str, errors: int, words: int):
    assert word_errors(said, heard) == counts(errors, words)
    assert (char_errors(said, heard).errors > 0) == (errors > 0)


def test_words_in_brackets_are_words_in_spanish_too():
    assert word_errors("Llame (por favor) hoy.", "llame hoy", "es") == counts(2, 4)
    assert word_errors("Llame (por favor) hoy.", "llame, por favor, hoy", "es") == counts(0, 4)


@pytest.mark.parametrize(
    ("said", "heard", "spelled", "folded", "verbatim"),
    [
        ("Call one four zero seven.", "Call 1407.", "Call one four zero seven", 0, 0),
        ("Call one four zero seven.", "Call 1407.", "call fourteen oh seven", 0, 3),
        ("Call 1407.", "Call 1407.", "call fourteen oh seven", 0, 0),
        ("Um, I do not know.", "I don't know.", "", 0, 3),
        ("Mister O’Neil isn't IN!", "mister o'neil isn't in", "", 0, 0),
        ("Doctor Who met mister Smith.", "Dr. Who met Mr. Smith.", "", 0, 0),
        ("It cost five pounds.", "It cost £5.", "It cost five pounds.", 0, 0),
    ],
)
def test_verbatim_folds_neither_numbers_nor_fillers(
    said: str, heard: str, spelled: str, folded: int, verbatim: int
):
    assert word_errors(said, heard) == counts(folded, word_errors(said, heard).reference_words)
    found = verbatim_errors(ReadText(reference=said, heard=heard, spelled=spelled))
    assert found.errors == verbatim


def test_verbatim_keeps_the_marks_of_letters_and_counts_letters_where_there_are_no_spaces():
    def errors(said: str, heard: str, language: str) -> ErrorCounts | Missing:
        return verbatim_errors(ReadText(reference=said, heard=heard, language=language))

    assert errors(
        "\u0939\u093f\u0902\u0926\u0940 \u092e\u0947\u0902", "\u0939\u093f\u0902\u0926\u0940", "hi"
    ) == counts(1, 2)
    assert errors("\u4eca\u65e5\u306f", "\u4eca\u65e5", "ja") == counts(1, 3)
    assert errors("\u00bfD\u00f3nde est\u00e1?", "d\u00f3nde esta", "es") == counts(1, 2)


def test_the_parts_of_the_error_rate_add_up():
    heard = "oh the library as a quiet room students"
    found = error_kinds(TEXT, heard)
    assert found == {"insertions": 1 / 8, "deletions": 1 / 8, "substitutions": 1 / 8}
    assert sum(found.values()) == word_errors(TEXT, heard).rate


@pytest.mark.parametrize("said", ["", "  ", "...", "[...]"])
def test_a_reference_without_words_has_no_rate(said: str):
    assert word_errors(said, "hello") == Missing("the reference text has no words")
    assert char_errors(said, "hello") == Missing("the reference text has no words")


def test_characters_are_counted_with_spaces():
    assert char_errors("the cat", "the bat") == counts(1, 7)


def test_comparing_texts_does_not_import_torch():
    code = (
        "import sys; from voxgate.harness.scoring.transcription import ReadText, text_errors; "
        "text_errors(ReadText(reference='a b', heard='a')); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TRICKY = "Mr. O'Neil's £3.50 — colour, won't; 2nd of May (aside) [noise] ¿Qué? straße 今日は"


@pytest.mark.parametrize("language", ["en", "es", "de", "zh"])
def test_the_normaliser_is_the_one_openai_whisper_exports(language: str):
    pytest.importorskip("whisper")
    from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

    theirs = {"en": EnglishTextNormalizer(), "zh": BasicTextNormalizer(split_letters=True)}.get(
        language, BasicTextNormalizer()
    )
    assert normalizer(language)(TRICKY) == theirs(TRICKY)


def test_the_package_without_torch_agrees_on_ordinary_text(monkeypatch: pytest.MonkeyPatch):
    texts = (TRICKY, "It's five past three, isn't it?", "twenty-five pounds fifty")
    ours = [normalizer("en")(text) for text in texts]
    monkeypatch.setattr(module, "NORMALISERS", dict([*module.NORMALISERS.items()][1:]))
    fresh = module._normalizers.__wrapped__()[0]()

    assert module.normaliser() == "whisper-normalizer"
    assert [fresh(text) for text in texts] == ours


@pytest.mark.parametrize("package", ["jiwer", "whisper-normalizer"])
def test_without_a_package_the_errors_are_missing(package: str, monkeypatch: pytest.MonkeyPatch):
    if package == "jiwer":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    else:
        monkeypatch.setattr(module, "NORMALISERS", {"no_such_package": ("no_such_package", "")})

    lost = not_installed(package, "pip install voxgate[words]")
    assert word_errors("a b", "a") == char_errors("a b", "a") == lost


def test_spanish_forgives_case_punctuation_and_digits_but_no_accent_that_is_heard():
    assert word_errors("¿Dónde está el baño?", "dónde, está el BAÑO", "es") == counts(0, 4)
    assert word_errors("¿Dónde está el baño?", "donde esta el bano", "es") == counts(2, 4)
    assert word_errors("Cuesta veinticinco euros.", "cuesta 25 euros", "es") == counts(0, 3)


def test_english_rules_are_not_applied_to_spanish():
    assert word_errors("Mr. García won't", "mister garcía will not") == counts(0, 4)
    assert word_errors("Mr. García won't", "mister garcía will not", "es") == counts(3, 4)


def test_a_region_changes_nothing():
    assert word_errors("It's grey", "it is gray", "en-GB") == counts(0, 3)
    assert word_errors("¡Sí!", "sí", "es-MX") == counts(0, 1)


def test_a_language_without_spaces_counts_letters_as_words():
    assert word_errors("今日は雨です。", "今日は雪です", "ja") == counts(1, 6)
    assert word_errors("今日は雨です。", "今日は雪です", "de") == counts(1, 1)


@pytest.mark.parametrize("said", ["", "¡¿...?!", "[]", "(...)"])
def test_a_spanish_reference_without_words_has_no_rate(said: str):
    assert word_errors(said, "hola", "es") == Missing("the reference text has no words")
    assert char_errors(said, "hola", "es") == Missing("the reference text has no words")


def test_every_metric_has_one_value_per_utterance():
    found = rates(counts(2, 3), counts(5, 10))
    assert found == {
        "wer": 2 / 3,
        "wer_macro": 2 / 3,
        "cer": 0.5,
        "cer_macro": 0.5,
        "wer_over_half": 1.0,
    }
    assert rates(counts(2, 4), counts(5, 10))["wer_over_half"] == 0.0
    values = text_errors(ReadText(reference="a", heard="a")).values
    assert list(values) == [metric.name for metric in METRICS]


def test_an_utterance_that_nobody_heard_has_no_value_in_any_metric():
    found = text_errors(Missing("deaf"))
    assert set(found.values) == {metric.name for metric in METRICS}
    assert {*found.values.values(), found.words, found.chars, found.verbatim} == {Missing("deaf")}


TEXT = "The library has a quiet room for students."


@pytest.mark.parametrize(
    ("heard", "leading", "trailing", "clipped", "lost", "repeated"),
    [
        (TEXT, 0, 0, 0, 0, 0),
        ("This morning, the library has a quiet room for students", 2, 0, 0, 0, 0),
        ("The library has a quiet room for students and the dents of men", 0, 5, 0, 0, 0),
        ("The library has a quiet room", 0, 0, 0, 2, 0),
        ("has a quiet room for students", 0, 0, 2, 0, 0),
        ("The library has a quiet quiet room for students", 0, 0, 0, 0, 1),
        ("The library has a quiet room a quiet room for students", 0, 0, 0, 0, 3),
        ("The library has a quiet room for students students students", 0, 2, 0, 0, 2),
        ("The library was a quiet room for student", 0, 0, 0, 0, 0),
        ("", 0, 0, 0, 8, 0),
    ],
)
def test_words_in_the_wrong_place_are_counted_by_the_place(
    heard: str, leading: int, trailing: int, clipped: int, lost: int, repeated: int
):
    assert misplaced_words(TEXT, heard) == {
        "leading_words": leading,
        "trailing_words": trailing,
        "clipped_words": clipped,
        "lost_words": lost,
        "repeated_words": repeated,
    }


def test_what_the_text_says_twice_is_not_repeated():
    assert (
        misplaced_words("It was very, very cold.", "it was very very cold")["repeated_words"] == 0
    )


def test_a_text_without_words_has_no_places():
    assert set(misplaced_words("...", "hello").values()) == {
        Missing("the reference text has no words")
    }


@pytest.mark.parametrize(
    ("text", "heard", "errors"),
    [
        ("El veinticinco por ciento.", "el 25%", 0),
        ("Doscientas una casas en mil novecientos noventa.", "201 casas en 1990", 0),
        ("¿Qué día es? El primero.", "que día es el 1º", 0),
        ("Ya está aquí.", "ya esta aquí", 1),
        ("El 5.", "el seis", 1),
    ],
)
def test_spanish_is_compared_as_it_sounds(text: str, heard: str, errors: int):
    for language in ("es", "es-MX"):
        found = word_errors(text, heard, language)
        assert isinstance(found, ErrorCounts) and found.errors == errors
    assert char_errors("Veinte.", "20", "es") == ErrorCounts(errors=0, reference_words=6)

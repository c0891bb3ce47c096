"""voxgate.engine.chatterbox.text: punctuation, languages, and the vocabulary's file."""

import json
import sys

import pytest

from voxgate.engine.chatterbox.random_weights import vocabulary
from voxgate.engine.chatterbox.text import TextVocabulary, normalised, tagged
from voxgate.engine.errors import EngineError


@pytest.fixture(name="write")
def _write(tmp_path):
    def write(content):
        path = tmp_path / "tokenizer.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "Hello."),
        ("Wait...   what?", "Wait,  what?"),
        ("a: b; c", "A, b,  c."),
        ("One - two", "One, two."),
        ("“Yes” it’s", '"Yes" it\'s.'),
        ("So —", "So -"),
        ("apples , pears!", "Apples, pears!"),
        ("終わり。", "終わり。."),
    ],
)
def test_punctuation_is_what_the_model_was_trained_with(text, said):
    assert normalised(text) == said


def test_the_multilingual_model_knows_more_ends():
    assert normalised("終わり。", multilingual=True) == "終わり。"


def test_a_text_of_another_language_is_lower_case_decomposed_and_tagged():
    assert tagged("Ñandú", "es") == "[es]n\u0303andu\u0301"
    assert tagged("안", "ko") == "[ko]\u110b\u1161\u11ab"


def test_a_language_that_needs_more_is_refused_and_not_read_badly():
    with pytest.raises(EngineError, match="language zh needs Cangjie codes"):
        tagged("你好", "zh")


def test_ids_stand_between_start_and_stop_and_a_space_is_a_token(write):
    reader = TextVocabulary(write(vocabulary()))

    assert reader.encode("ab a") == [255, 10, 11, 2, 10, 0]
    assert reader.encode("A", "de") == [255, 302, 10, 0]


@pytest.mark.parametrize("placeholder", ["[UNK]", None])
def test_characters_that_the_vocabulary_lacks_are_known_by_their_place(write, placeholder):
    words = vocabulary()
    words["model"]["unk_token"] = placeholder
    reader = TextVocabulary(write(words))

    assert reader.unknown("ab a.") == ""
    assert reader.unknown("a \u65e5\u672c b\U0001f600.") == "\u65e5\u672c\U0001f600"
    assert reader.unknown("A \u65e5", "de") == "\u65e5"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "hold no vocabulary of the package tokenizers"),
        ("{}", "hold no vocabulary of the package tokenizers"),
        ("[" * 100_000, "hold no vocabulary of the package tokenizers"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_named(write, content, words):
    with pytest.raises(EngineError, match=words):
        TextVocabulary(write(content))


def test_a_vocabulary_of_another_model_is_refused(write):
    other = vocabulary()
    other["added_tokens"] = [each for each in other["added_tokens"] if each["content"] != "[START]"]
    other["model"]["vocab"].pop("[START]")

    with pytest.raises(EngineError, match=r"token \[START\] has id None, and the model was"):
        TextVocabulary(write(other))


def test_without_the_package_the_extra_is_named(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(EngineError, match=r"pip install 'voxgate\[chatterbox\]'"):
        TextVocabulary(write(vocabulary()))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"tokenizer.json cannot be read"):
        TextVocabulary(tmp_path / "tokenizer.json")

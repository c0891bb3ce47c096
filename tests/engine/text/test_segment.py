import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.engine.errors import EngineError
from voxgate.engine.text.english.normalise import normalise
from voxgate.engine.text.segment import MIN_CHUNK_CHARACTERS, characters, segment

WORD = st.text("abc", min_size=1, max_size=40)
TEXT = st.lists(
    st.tuples(WORD, st.sampled_from(["", "", "", ",", ".", "?"])), min_size=1, max_size=60
).map(lambda pairs: " ".join(word + mark for word, mark in pairs))


@given(TEXT, st.integers(MIN_CHUNK_CHARACTERS, 250))
def test_every_chunk_fits_and_no_token_is_lost(text: str, limit: int) -> None:
    tokens = normalise(text).tokens
    chunks = segment(tokens, max_characters=limit)
    assert [token for chunk in chunks for token in chunk] == list(tokens)
    assert all(0 < characters(chunk) <= limit and not chunk[0].is_break for chunk in chunks)


def test_sentences_are_cut_at_their_ends_first() -> None:
    sentence = "one two three four five six seven, eight nine."
    chunks = segment(normalise(" ".join([sentence] * 4)).tokens, max_characters=100)
    assert [chunk[-1].text for chunk in chunks] == [".", "."]


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    text = "word " * 10 + "end, " + "word " * 10 + "end."
    first, second = segment(normalise(text).tokens, max_characters=80)
    assert first[-1].text == ","
    assert second[-1].text == "."


def test_a_question_has_a_chunk_of_its_own() -> None:
    chunks = segment(normalise("I am here. Are you? Yes. Good.").tokens)
    assert [chunk[-1].text for chunk in chunks] == [".", "?", "."]


def test_too_small_a_limit_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(EngineError, match=str(MIN_CHUNK_CHARACTERS)):
        segment(normalise("hello").tokens, max_characters=10)

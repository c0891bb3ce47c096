import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.engine.alphabet import PHONE_IDS, PHONES, SILENCE
from voxgate.engine.errors import EngineError
from voxgate.engine.text.frontend import MAX_CHARACTERS, phonemise

PAUSE = PHONE_IDS[SILENCE]


def test_pauses_stand_at_both_ends_and_at_each_break() -> None:
    (chunk,) = phonemise("Yes, we can. We will")
    assert [PHONES[index] for index in chunk.phones].count(SILENCE) == 4
    assert chunk.phones[0] == chunk.phones[-1] == PAUSE
    assert chunk.text == "yes, we can. we will."
    assert chunk.words == ("yes", "we", "can", "we", "will")


def test_only_the_end_of_a_question_is_marked() -> None:
    assert [chunk.question for chunk in phonemise("It is. Is it? Yes!")] == [False, True, False]
    long = "Is it true, " + "or so very nearly true, " * 12 + "as they say?"
    marked = [chunk.question for chunk in phonemise(long)]
    assert len(marked) > 1
    assert marked == [False] * (len(marked) - 1) + [True]


def test_two_thousand_characters_keep_every_word() -> None:
    text = ("We walked along the river, and then we went home. " * 50)[:2000]
    chunks = phonemise(text)
    assert [word for chunk in chunks for word in chunk.words] == text.lower().replace(
        ",", ""
    ).replace(".", "").split()
    assert all(len(chunk.text) <= 200 for chunk in chunks)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_text_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="empty"):
        phonemise(text)


def test_text_without_anything_speakable_is_refused_and_shown() -> None:
    with pytest.raises(EngineError, match=r"nothing in '\\U0001f600 \.\.\.' can be spoken"):
        phonemise("😀 ...")


def test_text_over_the_limit_is_refused_with_both_lengths() -> None:
    with pytest.raises(
        EngineError, match=f"{MAX_CHARACTERS + 1} characters, the limit is {MAX_CHARACTERS}"
    ):
        phonemise("a" * (MAX_CHARACTERS + 1))


def test_dropped_characters_are_reported_on_every_chunk() -> None:
    assert [chunk.dropped for chunk in phonemise("Is it 你? Yes 😀.")] == ["你😀", "你😀"]


@pytest.mark.parametrize(
    "text",
    [
        "1" * 5000,
        "a-" * 2500,
        "A. " * 1666,
        "x" * 5000,
        "1." * 2500,
        "https://" * 625,
        "1,111" * 1000,
        "é" * 5000,
    ],
)
def test_the_longest_odd_texts_are_spoken(text: str) -> None:
    assert phonemise(text)


@given(
    st.one_of(st.text(max_size=120), st.text("0123456789.,:/-$£%°'# aApPmMk\n?!@()", max_size=60))
)
def test_any_text_gives_chunks_or_an_engine_error(text: str) -> None:
    try:
        chunks = phonemise(text)
    except EngineError:
        return
    assert chunks
    for chunk in chunks:
        assert all(0 < index < len(PHONES) for index in chunk.phones)
        assert chunk.phones[0] == chunk.phones[-1] == PAUSE != chunk.phones[1]
        assert chunk.words


def test_importing_reads_no_table_and_needs_no_torch() -> None:
    code = (
        "import sys, voxgate.engine.text.frontend; "
        "from voxgate.engine.text.english.lexicon import load_lexicon; "
        "assert load_lexicon.cache_info().misses == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""The 200 sentences that judge the voice keep the shape that the model card promises."""

from importlib.resources import files

from voxgate.engine.text.frontend import phonemise

SENTENCES = files("voxgate.engine.training").joinpath("heldout.txt").read_text().splitlines()


def test_there_are_two_hundred_different_sentences_of_5_to_14_words() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES) == 200
    assert all(5 <= len(sentence.split()) <= 14 for sentence in SENTENCES)


def test_an_eighth_of_them_are_questions_and_each_is_one_chunk() -> None:
    chunks = [phonemise(sentence) for sentence in SENTENCES]
    assert all(len(chunk) == 1 for chunk in chunks)
    assert sum(chunk[0].question for chunk in chunks) == 25

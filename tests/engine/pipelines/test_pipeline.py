"""An audio segment: all audio of one pass through the models."""

import numpy as np
import pytest

from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.pipeline import segments

TEXT = (
    "The last bus leaves in 5 minutes, so hurry up. Have you ever been to the mountains in winter? "
    "He cut the bread into thick slices, put the butter on the table, and called the children in "
    "from the garden to eat."
)


def test_pieces_of_one_pass_come_together_and_the_end_comes_with_the_last_pass():
    asked = []

    def pieces():
        for number in range(6):
            asked.append(number)
            yield np.full(number + 1, number, np.float32)

    found = segments(pieces(), [1, 3, 1])
    first, counts = next(found), [len(asked)]
    second, counts = next(found), [*counts, len(asked)]
    third = next(found)

    assert counts == [1, 4]  # nothing is spoken before it is asked for
    assert [len(each.audio) for each in (first, second, third)] == [1, 2 + 3 + 4, 5 + 6]
    assert [each.last for each in (first, second, third)] == [False, False, True] and next(
        found, None
    ) is None


@pytest.mark.parametrize(
    "sizes", [{}, {"batch": 2}, {"batch": 64}, {"batch": 2, "first_chunk_characters": 30}], ids=str
)
@pytest.mark.parametrize("text", ["Hello.", TEXT], ids=["short", "long"])
def test_each_segment_takes_one_pass_and_all_are_the_whole_to_the_bit(make_pipeline, text, sizes):
    pipeline = make_pipeline(nfe_steps=2, **sizes)
    spoken, passes = pipeline._speak, []
    pipeline._speak = lambda *given, **named: (
        passes.append(len(given[0])) or spoken(*given, **named)
    )
    found, counts = [], []
    for segment in pipeline.segments(text, {"seed": 9}):
        found.append(segment)
        counts.append(len(passes))

    assert counts == list(range(1, len(found) + 1))
    assert [each.last for each in found] == [False] * (len(found) - 1) + [True]
    assert np.array_equal(
        np.concatenate([each.audio for each in found]), pipeline.synthesize(text, {"seed": 9})
    )


def test_a_segment_of_a_text_that_cannot_be_spoken_is_refused_like_a_stream(make_pipeline):
    pipeline = make_pipeline(nfe_steps=1)
    for text, options in (("\U0001f600", {}), ("Hello.", {"nfe_steps": 3})):
        with pytest.raises(EngineError):
            pipeline.segments(text, options)

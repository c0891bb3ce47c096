"""The way through the attention of a text: each token's first frame."""

import numpy as np

from voxgate.harness.models.word_times import monotonic_path


def weights(tokens: int, frames: int, starts: list[int]) -> np.ndarray:
    table = np.zeros((tokens, frames))
    for token, (start, end) in enumerate(zip(starts, [*starts[1:], frames], strict=True)):
        table[token, start:end] = 1.0
    return table


def test_a_token_begins_where_its_weights_do() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.2, (4, 60))
    assert monotonic_path(weights(4, 60, [0, 11, 30, 50]) + noise).tolist() == [0, 11, 30, 50]


def test_every_token_has_a_frame_and_their_order_stays() -> None:
    rng = np.random.default_rng(1)
    for tokens, frames in ((1, 1), (5, 5), (3, 40), (20, 21)):
        starts = monotonic_path(rng.normal(size=(tokens, frames)))
        assert starts[0] == 0
        assert (np.diff(starts) >= 1).all() and starts[-1] < frames


def test_a_strong_weight_out_of_order_moves_nothing() -> None:
    table = weights(3, 30, [0, 10, 20])
    table[2, 2] = 5.0
    assert monotonic_path(table).tolist() == [0, 10, 20]

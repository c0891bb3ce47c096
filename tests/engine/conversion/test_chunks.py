import numpy as np
import pytest
import torch

from voxgate.engine.audio.postprocess import crossfade
from voxgate.engine.conversion.chunks import LEAST_KEPT, in_groups, kept_audio, stacked, windows


@pytest.mark.parametrize("frames", [1, 12, 40, 41, 99, 200])
@pytest.mark.parametrize("core", [0, 12, 16, 37])
def test_windows_keep_every_frame_once_and_have_one_length(frames, core):
    made = windows(frames, core, 6)

    assert len({window.frames for window in made}) == 1
    kept = [index for window in made for index in range(window.keep_start, window.keep_stop)]
    assert kept == list(range(frames))
    for window in made:
        assert 0 <= window.start <= window.keep_start
        assert window.keep_stop <= window.stop <= frames
        assert window.start in (0, window.keep_start - 6) or window.keep_start - window.start >= 6
        assert window.stop == frames or window.stop - window.keep_stop >= 6
    if len(made) > 1:
        assert made[-1].keep_stop - made[-1].keep_start >= LEAST_KEPT


@pytest.mark.parametrize("frames", [12, 41, 99, 200])
@pytest.mark.parametrize("core", [0, 12, 37])
def test_the_audio_of_windows_is_put_together_without_a_seam(frames, core):
    hop, whole = 256, np.random.default_rng(0).standard_normal((frames - 1) * 256)
    pieces = (
        kept_audio(w, whole[w.start * hop : (w.stop - 1) * hop], hop=hop, frames=frames)
        for w in windows(frames, core, 6)
    )

    assert np.allclose(np.concatenate(list(crossfade(pieces))), whole, atol=1e-6)


def test_groups_share_one_length():
    assert list(in_groups([3, 3, 3, 2, 2, 3], 2, int)) == [[3, 3], [3], [2, 2], [3]]


def test_windows_of_several_recordings_are_stacked():
    first, second = torch.arange(20.0)[:, None], torch.arange(30.0)[:, None]
    a, b = windows(20, 0, 6)[0], windows(30, 8, 6)[0]

    rows = stacked([first, second], [a, b])

    assert rows.shape == (2, 20, 1)

"""The pictures that a comment links to: which are made, and that they show what the page shows."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tests.harness.report.making import Voices, passed, regressed, silence
from voxgate.harness.report.comment_pictures import BEYOND, pictures, shifts_png


def test_a_picture_is_made_only_of_what_there_is(tmp_path: Path) -> None:
    contents = regressed(tmp_path)
    folder = tmp_path / "new" / "pictures"
    made = pictures(contents, Voices(), folder)
    assert [path.name for path in made] == ["shifts.png", "spectrograms.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
    nothing = replace(contents, judgement=replace(contents.judgement, cells=()))
    assert pictures(nothing, silence, folder) == ()


def test_the_region_beyond_the_limit_is_tinted_and_a_row_is_as_high_as_another(
    tmp_path: Path,
) -> None:
    drawn = {}
    for make in (passed, regressed):
        png = shifts_png(make(tmp_path / make.__name__))
        assert png is not None
        drawn[make.__name__] = Image.open(io.BytesIO(png)).convert("RGB")
    tint = tuple(int(BEYOND[at : at + 2], 16) for at in (1, 3, 5))
    for picture in drawn.values():
        assert np.all(np.asarray(picture) == tint, axis=-1).mean() > 0.05
        assert picture.width == drawn["passed"].width

"""The picture is a PNG, the same every time, and shows what was seen."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness.selftest.finding import ADVISED, SEEN, UNSEEN, finding, matrix, trust
from voxgate.harness.errors import HarnessError
from voxgate.harness.selftest.draw_quality import ALARM, COLOURS, check_picture, write_picture
from voxgate.harness.selftest.quality_result import QualityTrust, Sight
from voxgate.harness.selftest.specimens import ONE, Kind


def drawn(path: Path, found: QualityTrust) -> np.ndarray:
    from matplotlib.image import imread

    write_picture(found, path)
    return (255 * imread(path)[..., :3]).round().astype(int)


def share(picture: np.ndarray, colour: str) -> float:
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return float(np.mean(np.abs(picture - wanted).sum(axis=-1) < 3))


def test_every_square_has_the_colour_of_what_was_seen(tmp_path: Path) -> None:
    quiet = drawn(
        tmp_path / "quiet.png", trust(matrix(finding("click", UNSEEN), finding("hum", UNSEEN)))
    )
    loud = drawn(
        tmp_path / "loud.png",
        trust(matrix(finding("click", SEEN | ADVISED), finding("hum", UNSEEN))),
    )
    assert quiet.shape == loud.shape
    blue, light, grey = (COLOURS[sight] for sight in (Sight.SEEN, Sight.ADVISED, Sight.UNSEEN))
    assert share(loud, blue) > share(quiet, blue)
    assert share(loud, light) > share(quiet, light)
    assert share(loud, grey) < share(quiet, grey)


def test_a_false_alarm_has_a_colour_of_its_own(tmp_path: Path) -> None:
    alarm = drawn(
        tmp_path / "a.png",
        trust(matrix(finding("click", SEEN), finding("rounding", SEEN, kind=Kind.HARMLESS))),
    )
    none = drawn(
        tmp_path / "b.png",
        trust(matrix(finding("click", SEEN), finding("rounding", UNSEEN, kind=Kind.HARMLESS))),
    )
    assert share(alarm, ALARM) > share(none, ALARM)


def test_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    found = trust(
        matrix(finding("click", SEEN), finding("click", UNSEEN, extent=ONE)),
        matrix(finding("hum", ADVISED), audio="b"),
    )
    for name in ("a.png", "b.png"):
        write_picture(found, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    check_picture(tmp_path / "a.png")
    with pytest.raises(HarnessError, match="there is no folder"):
        check_picture(tmp_path / "none" / "a.png")
    with pytest.raises(HarnessError, match="name another --picture"):
        write_picture(trust(matrix(finding("click", SEEN))), tmp_path)

"""The colours of the pages: told apart by colour-blind eyes, and strong enough, in both themes."""

import re
from itertools import combinations, pairwise

import pytest

from tests.harness.report.colour import contrast, delta_e, least_difference
from voxgate.harness.report.html import TEMPLATES

SHEETS = TEMPLATES / "styles"
COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{3,6})\b")
LIGHT, DARK = (
    dict(COLOUR.findall(part))
    for part in (SHEETS / "base.css").read_text().split("@media screen and (prefers-color", 1)
)
GROUNDS = ("paper", "panel", "wash")
TEXTS = ("ink", "soft", "link", "accent", "good", "open", "bad")
KINDS = ("good", "open", "bad")
STAGES = tuple(f"stage-{number}" for number in range(1, 9))
MARKS = ("now", "before", "limit", *KINDS, *STAGES, "worse-3", "worse-4", "better-3", "better-4")
"""What a picture draws; heat of less than the limit is faint, and has its figure in a tooltip."""
TOLD_APART = 15.0

both_themes = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def test_the_difference_of_colours_is_that_of_the_paper_that_defines_it() -> None:
    """Pairs 1, 7, 13, 17 and 25 of table 1 in Sharma, Wu and Dalal (2005)."""
    for first, second, expected in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ):
        assert delta_e(first, second) == pytest.approx(expected, abs=2e-4)
        assert delta_e(second, first) == pytest.approx(expected, abs=2e-4)


def test_both_themes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert len(LIGHT) == 36


@both_themes
def test_text_can_be_read_on_every_ground(theme: dict[str, str]) -> None:
    grounds = [*GROUNDS, *(f"{kind}-wash" for kind in KINDS), "limit-wash", "heat-0"]
    poor = {
        (text, ground): round(contrast(theme[text], theme[ground]), 2)
        for text in TEXTS
        for ground in grounds
        if contrast(theme[text], theme[ground]) < 4.5
    }
    assert poor == {}


@both_themes
def test_marks_stand_out_from_what_is_behind_them(theme: dict[str, str]) -> None:
    poor = {
        (mark, ground): round(contrast(theme[mark], theme[ground]), 2)
        for mark in MARKS
        for ground in (*GROUNDS, "limit-wash" if mark in KINDS else "panel")
        if contrast(theme[mark], theme[ground]) < 3.0
    }
    assert poor == {}


@both_themes
@pytest.mark.parametrize(
    "names",
    [
        STAGES,
        KINDS,
        ("now", "before"),
        ("limit", "before"),
        ("limit", "now"),
        *((f"worse-{n}", f"better-{n}") for n in (1, 2, 3, 4)),
    ],
    ids="-".join,
)
def test_colour_blind_eyes_tell_apart(theme: dict[str, str], names: tuple[str, ...]) -> None:
    close = {
        (first, second): round(least_difference(theme[first], theme[second]), 1)
        for first, second in combinations(names, 2)
        if least_difference(theme[first], theme[second]) < TOLD_APART
    }
    assert close == {}


@both_themes
@pytest.mark.parametrize("side", ["worse", "better"])
def test_heat_rises_in_steps_that_are_seen_and_a_missed_night_is_none_of_them(
    theme: dict[str, str], side: str
) -> None:
    steps = [theme["heat-0"], *(theme[f"{side}-{number}"] for number in range(1, 5))]
    assert min(least_difference(*pair) for pair in pairwise(steps)) > 8.0
    assert min(least_difference(theme["gap"], step) for step in steps) > 8.0
    rising = [contrast(step, theme["panel"]) for step in steps]
    assert rising == sorted(rising)


def test_every_colour_that_is_named_is_there() -> None:
    """A variable that nobody defines paints nothing, and no browser says so."""
    text = "".join(path.read_text() for path in sorted(SHEETS.glob("*.css")))
    named = set(re.findall(r"var\(--([\w-]+)[,)]", text))
    assert named - set(re.findall(r"--([\w-]+):", text)) == set()


def test_colours_stand_in_one_place() -> None:
    """
    A colour of its own would be wrong in one of the themes. What player.css draws over a
    spectrogram has the spectrogram's.
    """
    elsewhere = [
        (path.name, colour)
        for path in sorted(TEMPLATES.rglob("*"))
        if path.suffix in (".css", ".html") and path.name not in ("base.css", "player.css")
        for colour in re.findall(r"[:, (\"]#[0-9a-fA-F]{3,8}(?=[;, )\"}])", path.read_text())
    ]
    assert elsewhere == []

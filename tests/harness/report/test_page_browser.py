"""The page of a run that stands alone, in a real browser: in both themes, on a phone, on paper."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import CONTRASTS, DESKTOP, PHONE, Visit
from tests.harness.report.making import Voices, hostile, one_broken, regressed
from voxgate.harness.report.page import page
from voxgate.harness.runner.recordings import Take

EAR = Path(__file__).with_name("listening").joinpath("tap.js").read_text()
HEARD = "#voices button[aria-pressed=true]"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "index.html").write_text(page(regressed(folder), Voices(2.0)), encoding="utf-8")
    return folder / "index.html"


def test_it_asks_for_nothing_and_plays_what_it_holds(
    alone: Path, visit: Callable[..., Visit]
) -> None:
    visited = visit(alone, EAR, viewport=DESKTOP)
    tab = visited.page
    tab.wait_for_selector(HEARD)
    tab.wait_for_selector("#spectrogram[src]")
    pitches = {}
    tab.keyboard.press("Space")
    for key in "123":
        tab.keyboard.press(key)
        pitches[key] = tab.evaluate("listen(0.14)")["hz"]
    assert pitches["1"] == pytest.approx(340.0, abs=15)
    assert pitches["2"] == pytest.approx(340.0, abs=15)
    assert pitches["3"] == pytest.approx(1340.0, abs=15)
    tab.keyboard.press("n")
    assert tab.evaluate("location.hash") == "#u=u02"
    assert visited.complaints == []
    assert [url for url in visited.requests if not url.startswith("data:")] == [alone.as_uri()]


def test_one_click_in_the_header_plays_the_old_and_the_new_voice_of_the_red_cell(
    tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    def kept(name: str) -> tuple[Take, ...]:
        reference, *_, now = Voices(1.0)(name)
        before = replace(now, when="previous", sound=reference.sound)
        return (reference, before, now) if name in ("u05", "u06") else ()

    (tmp_path / "index.html").write_text(page(one_broken(tmp_path), kept), encoding="utf-8")
    visited = visit(tmp_path / "index.html", EAR, viewport=DESKTOP)
    tab = visited.page
    tab.wait_for_selector(HEARD)
    button = tab.locator("button.hear").first
    box = button.bounding_box()
    assert box is not None and box["y"] + box["height"] < DESKTOP["height"], "on the first screen"
    button.click()
    tab.get_by_role("button", name="Stop (old voice)").first.wait_for()
    old_hz = tab.evaluate("listen(0.14)")["hz"]
    tab.get_by_role("button", name="Stop (new voice)").first.wait_for()
    new_hz = tab.evaluate("listen(0.14)")["hz"]
    assert (old_hz, new_hz) == (pytest.approx(540.0, abs=15), pytest.approx(1540.0, abs=15))
    tab.get_by_role("button", name="Hear old, then new").first.wait_for()
    assert "u06" in tab.locator("#utterance option:checked").inner_text()
    assert visited.complaints == []


def test_the_address_keeps_the_section_that_it_names(
    alone: Path, visit: Callable[..., Visit]
) -> None:
    tab = visit(alone, fragment="#stages").page
    tab.wait_for_selector(HEARD)
    assert tab.url.endswith("#stages")
    tab.get_by_role("link", name="u03", exact=True).click()
    tab.locator("#text", has_text="text u03").wait_for()
    assert tab.locator("#hearing").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_can_be_read_in_both_themes_and_no_line_is_wider_than_the_screen(
    alone: Path, visit: Callable[..., Visit], scheme: str, viewport: dict[str, int]
) -> None:
    visited = visit(alone, viewport=viewport, color_scheme=scheme)
    visited.page.wait_for_selector(HEARD)
    assert visited.page.evaluate(CONTRASTS) == []
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    ground = visited.page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (max(ground) < 60) == (scheme == "dark")
    assert visited.complaints == []


def test_a_red_run_needs_at_most_six_screens_and_a_click_on_a_cell_opens_its_details(
    alone: Path, visit: Callable[..., Visit]
) -> None:
    screen = {"width": 1440, "height": 900}
    tab = visit(alone, viewport=screen).page
    tab.wait_for_selector(HEARD)
    assert tab.evaluate("document.documentElement.scrollHeight") <= 6 * screen["height"]
    details = tab.locator("details.cell")
    assert [each.get_attribute("open") for each in details.all()] == [None, ""]
    tab.get_by_role("link", name="nfe=32 (reference)", exact=True).first.click()
    assert details.first.get_attribute("open") == ""
    assert tab.url.endswith("#cell-1")
    tab.evaluate("document.getElementById('cell-2').open = false")
    tab.locator("td.broken").first.click()
    assert details.last.get_attribute("open") == ""
    assert details.last.locator("table").first.is_visible()


def test_without_scripts_all_but_the_player_is_there(alone: Path, chromium: Any) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(alone.as_uri())
        assert "REGRESSED" in tab.inner_text("h1")
        assert "Listening needs JavaScript" in tab.inner_text("main")
        assert not tab.locator("#hearing").is_visible()
        assert tab.locator("table.main").first.is_visible()


def test_paper_gets_the_light_colours_whatever_the_screen_has(
    alone: Path, visit: Callable[..., Visit]
) -> None:
    tab = visit(alone, color_scheme="dark").page
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--ink')"
    dark = tab.evaluate(ink)
    tab.emulate_media(color_scheme="dark", media="print")
    assert tab.evaluate(ink) != dark
    mark = "getComputedStyle(document.querySelector('figure svg.at')).fill"
    on_paper = tab.evaluate(mark)
    tab.emulate_media(color_scheme="dark", media="screen")
    assert tab.evaluate(mark) != on_paper


def test_hostile_texts_run_nothing(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    (tmp_path / "index.html").write_text(page(hostile(), Voices()), encoding="utf-8")
    visited = visit(tmp_path / "index.html")
    visited.page.on("dialog", lambda dialog: visited.complaints.append(dialog.message))
    visited.page.wait_for_selector(HEARD)
    assert visited.page.locator("img[src=x]").count() == 0
    assert visited.complaints == []
    assert [url for url in visited.requests if not url.startswith(("data:", "file:"))] == []

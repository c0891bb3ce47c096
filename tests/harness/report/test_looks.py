"""
How every kind of page looks: light and dark, on a desk, on a phone and on paper, in two browsers.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import USABLE
from tests.harness.report.firefox import Firefox
from tests.harness.report.looks import (
    HISTORY,
    VIEWS,
    built,
    coarse,
    difference,
    settled,
    views_of,
)
from voxgate.harness.report.html import text_of

ALIKE = 14.0
"""Of `difference`. A page without its style has 40 and more."""
COMPARED = ("overview", "suite", "run")
"""Pages of which both browsers make a picture."""
SLACK_PX = 60
"""Two lines: in another browser a line may end at another word, and what is below moves."""
VIEWS_NAMED = pytest.mark.parametrize(
    ("theme", "size"), VIEWS, ids=[f"{theme}-{size['width']}" for theme, size in VIEWS]
)
STICKS_OUT = """() => {
  const out = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility()) continue;
    if (parent.closest('.reader, .skip, nav, thead, .takes, #tip, svg')) continue;
    const box = parent.closest('td, th, li, figure, details, header, main') ?? document.body;
    const range = document.createRange();
    range.selectNodeContents(node);
    const [text, around] = [range.getBoundingClientRect(), box.getBoundingClientRect()];
    if (text.width && text.right > around.right + 1) out.push(`${box.tagName} ${node.data.trim().slice(0, 40)}`);
  }
  return out;
}"""  # noqa: E501
"""Returns the texts that are wider than what they stand in."""
SIDEWAYS = """() => [...document.querySelectorAll('.scroll')]
  .filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.getAttribute('aria-label') ?? box.innerText.slice(0, 40))"""
"""Returns the tables that must be scrolled sideways."""
A4_PX = 710
"""Width between the margins, at 96 px an inch."""
WEIGHT_KB = {"listen": 1500, "blind-test": 200, "run": 1500, "compare": 40}
LIGHT_KB = 150
USABLE_MS = 1000.0
"""That the file of a page has at most, without audio; a page with audio has that inside."""


@pytest.fixture(scope="module")
def pages(
    planted_site: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    return built(planted_site(HISTORY), tmp_path_factory.mktemp("looks"))


@pytest.fixture(scope="module")
def shots(chromium: Any, pages: dict[str, Path]) -> dict[tuple[str, str, int], Any]:
    """Every page in every view: a coarse picture, and what is wrong with its layout."""
    found: dict[tuple[str, str, int], Any] = {}
    for theme, size in VIEWS:
        with chromium.new_context(viewport=size, color_scheme=theme) as context:
            tab = context.new_page()
            for name, path in pages.items():
                if (theme, size) not in views_of(name):
                    continue
                settled(tab, path)
                found[name, theme, size["width"]] = {
                    "picture": coarse(tab.screenshot(), size) if name in COMPARED else None,
                    "width": tab.evaluate("document.documentElement.scrollWidth"),
                    "sticks out": tab.evaluate(STICKS_OUT),
                    "sideways": tab.evaluate(SIDEWAYS),
                    "usable": tab.evaluate(USABLE),
                }
    return found


@VIEWS_NAMED
def test_nothing_is_cut_off_or_scrolled_sideways(
    shots: dict[tuple[str, str, int], Any], theme: str, size: Mapping[str, int]
) -> None:
    for (name, of, width), shot in shots.items():
        if (of, width) == (theme, size["width"]):
            assert shot["width"] <= width, name
            assert shot["sticks out"] == [], name
            assert shot["sideways"] == [], name


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no firefox on PATH: apt-get install firefox-esr")
    with Firefox(program, tmp_path_factory.mktemp("firefox")) as started:
        yield started


def test_firefox_shows_the_same_as_chromium(
    firefox: Firefox, pages: dict[str, Path], shots: dict[tuple[str, str, int], Any]
) -> None:
    apart = {}
    seen = [(name, *view) for name in COMPARED for view in views_of(name)]
    for name, theme, size in seen:
        firefox.show(pages[name], size["width"], size["height"], dark=theme == "dark")
        view = (name, theme, size["width"])
        picture = coarse(firefox.screenshot(), size)
        apart[view] = round(difference(shots[view]["picture"], picture, SLACK_PX), 1)
        assert firefox.evaluate("document.documentElement.scrollWidth") <= size["width"], view
        assert firefox.evaluate(f"({SIDEWAYS})()") == [], view
    print(apart)
    assert max(apart.values()) < ALIKE, apart


def test_a_page_without_its_style_would_be_noticed(
    chromium: Any, pages: dict[str, Path], shots: dict[tuple[str, str, int], Any]
) -> None:
    theme, size = VIEWS[0]
    with chromium.new_context(viewport=size, color_scheme=theme) as context:
        tab = context.new_page()
        tab.goto(pages["run"].as_uri())
        tab.evaluate("document.querySelector('style').remove()")
        bare = coarse(tab.screenshot(), size)
    assert difference(bare, shots["run", theme, size["width"]]["picture"], SLACK_PX) > 2 * ALIKE


def test_axe_finds_nothing_serious(chromium: Any, pages: dict[str, Path]) -> None:
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("no axe: pip install axe-playwright-python")
    axe = next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    found = {}
    for theme, size in VIEWS[:1]:
        with chromium.new_context(viewport=size, color_scheme=theme) as context:
            tab = context.new_page()
            for name, path in pages.items():
                settled(tab, path)
                tab.evaluate(axe)
                result = tab.evaluate("axe.run({ resultTypes: ['violations'], iframes: false })")
                found[name, theme] = [
                    (each["id"], each["nodes"][0]["html"][:120])
                    for each in result["violations"]
                    if each["impact"] in ("serious", "critical")
                ]
    assert {view: faults for view, faults in found.items() if faults} == {}


SCROLLED = """() => new Promise((done) => {
  const look = () => (scrollY > 900 ? done() : requestAnimationFrame(look));
  look();
})"""


def test_sections_stay_in_view_and_the_one_that_is_read_is_marked(
    chromium: Any, pages: dict[str, Path]
) -> None:
    with chromium.new_context(viewport=VIEWS[1][1], reduced_motion="reduce") as context:
        tab = context.new_page()
        settled(tab, pages["run"])
        nav = tab.locator("nav[aria-label=Sections]")
        current = nav.locator("[aria-current]")
        nav.get_by_role("link", name="Details").click()
        current.filter(has_text="Details").wait_for()
        # not wait_for_function: the page's policy lets no text be run as script again and again
        tab.evaluate(SCROLLED)
        assert current.count() == 1
        box, heading = nav.bounding_box(), tab.locator("#details").bounding_box()
        assert box["y"] == pytest.approx(0.0, abs=1)
        assert heading["y"] >= box["height"] - 1
        link = current.bounding_box()
        assert 0 <= link["x"] <= 390 - link["width"], "it is scrolled to in the list, too"


def test_a_table_on_a_phone_is_cards_that_tell_their_columns(
    chromium: Any, pages: dict[str, Path]
) -> None:
    with chromium.new_context(viewport=VIEWS[1][1]) as context:
        tab = context.new_page()
        settled(tab, pages["run"])
        table = tab.locator("table.main").first
        row = table.locator("tbody tr").first
        assert table.get_attribute("class").split()[-1] == "cards"
        labels = row.locator("td[data-label]").evaluate_all(
            "all => all.map((e) => e.dataset.label)"
        )
        heads = table.locator("thead th").all_inner_texts()
        assert labels == heads[1:]
        assert row.get_by_role("rowheader").count() == 1
        assert row.get_by_role("cell").count() == len(labels)
        tab.set_viewport_size(VIEWS[0][1])
        tab.locator("table.cards").first.wait_for(state="detached")


POINTED = """<!doctype html><main id="content">
<p><b data-tip="13 % slower" data-key="a" tabindex="0">x</b><i data-key="a">y</i></p>
<p><u data-open="more">open</u></p><details id="more"><p>folded</p></details>"""


def test_marks_tell_what_they_are_to_the_pointer_and_the_keyboard(chromium: Any) -> None:
    with chromium.new_context(viewport=VIEWS[0][1]) as context:
        tab = context.new_page()
        tab.set_content(POINTED)
        tab.add_script_tag(content=text_of("hover.js"))
        tip = tab.locator("#tip")
        assert not tip.is_visible()
        tab.hover("b")
        assert tip.inner_text() == "13 % slower" and tab.locator("i.lit").count() == 1
        tab.keyboard.press("Escape")
        assert not tip.is_visible() and tab.locator(".lit").count() == 0
        tab.mouse.move(600, 600)
        tab.keyboard.press("Tab")
        assert tip.is_visible()
        tab.click("u")
        assert tab.get_by_text("folded").is_visible()


def test_paper_cuts_no_column_off(chromium: Any, pages: dict[str, Path]) -> None:
    with chromium.new_context(viewport={"width": A4_PX, "height": 1000}) as context:
        tab = context.new_page()
        tab.emulate_media(media="print")
        for name, path in pages.items():
            settled(tab, path)
            assert tab.evaluate("document.documentElement.scrollWidth") <= A4_PX, name
            wide = """() => [...document.querySelectorAll('table')].filter((table) => table.clientWidth
              && table.getBoundingClientRect().right > innerWidth + 1).map((table) => table.caption?.innerText)"""  # noqa: E501
            assert tab.evaluate(wide) == [], name


def test_pages_are_usable_within_a_second(shots: dict[tuple[str, str, int], Any]) -> None:
    best_ms: dict[str, float] = {}
    for (name, _, _), shot in shots.items():
        best_ms[name] = min(shot["usable"], best_ms.get(name, shot["usable"]))
    print({name: round(ms) for name, ms in best_ms.items()})
    assert max(best_ms.values()) < USABLE_MS, best_ms


def test_pages_are_light(pages: dict[str, Path]) -> None:
    weights = {name: path.stat().st_size / 1000 for name, path in pages.items()}
    print({name: round(weight) for name, weight in weights.items()})
    assert {
        name: weight for name, weight in weights.items() if weight > WEIGHT_KB.get(name, LIGHT_KB)
    } == {}

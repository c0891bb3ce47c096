"""
The site in a real browser: from the disk and a web server, by key, on a phone, in the dark, without
scripts, on paper.
"""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import (
    CONTRASTS,
    DESKTOP,
    PHONE,
    USABLE,
    Visit,
    address,
    watched,
)
from tests.harness.report.site.making import NIGHTS, Made, make_site, usual, with_values

CELL = "cell-smoke~nfe_steps-8.html"
DRAWN = "body[data-drawn=all]"
PAGES = {
    "index.html": None,
    "suite-smoke.html": None,
    CELL: DRAWN,
    f"run-{NIGHTS}.html": None,
    "run.html#3": DRAWN,
    "compare.html#1,40": DRAWN,
}
"""Every kind of page, and what shows that its script is done."""

INK = """() => [...document.querySelectorAll('.plot')].filter((plot) => plot.checkVisibility()).map((plot) => {
  const canvas = plot.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked;
})"""  # noqa: E501


@pytest.fixture
def tab(chromium: Any) -> Iterator[Visit]:
    with chromium.new_context(viewport=DESKTOP) as context:
        yield watched(context)


def test_every_page_works_from_the_disk_without_a_complaint_and_asks_for_nothing_else(
    site: Made, tab: Visit
) -> None:
    for name, settled in PAGES.items():
        tab.open(address(site.out, name), settled)
        shown_ms = tab.page.evaluate(USABLE)
        print(f"{name}: usable after {shown_ms:.0f} ms")
    assert tab.complaints == []
    inside = site.out.as_uri()
    assert [each for each in tab.requests if not each.startswith((inside, "data:", "about:"))] == []


def test_every_page_works_from_a_web_server(site: Made, tab: Visit) -> None:
    handler = functools.partial(_Quiet, directory=str(site.out))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        for name, settled in PAGES.items():
            tab.open(f"{origin}/{name}", settled)
        server.shutdown()
    assert tab.complaints == []
    assert [each for each in tab.requests if not each.startswith((origin, "data:", "about:"))] == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Says nothing."""


def test_every_chart_is_drawn(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    places = 2
    assert tab.page.locator("figure.trend .plot canvas").count() >= 7 * places
    assert tab.page.locator("figure.stages .plot canvas").count() == places
    assert tab.page.locator("figure.machines .plot canvas").count() == 1
    inked = tab.page.evaluate(INK)
    assert len(inked) >= 8 * places + 1
    assert min(inked) > 1500, inked


def test_unfolded_metrics_are_drawn_then(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    before = tab.page.locator(".plot canvas").count()
    tab.page.get_by_text("2 more metrics").first.click()
    tab.page.locator(".plot canvas").nth(before).wait_for()
    assert min(tab.page.evaluate(INK)) > 1500


def test_keys_step_through_the_runs_of_a_chart(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    slider, readout = tab.page.locator(".stepper").first, tab.page.locator(".readout").first
    newest = readout.inner_text()
    assert "2026-11-20 02:00" in newest and "ms [" in newest
    slider.focus()
    tab.page.keyboard.press("ArrowLeft")
    assert "2026-11-19 02:00" in readout.inner_text()
    assert slider.get_attribute("aria-valuetext").startswith("2026-11-19 02:00, ")
    tab.page.keyboard.press("Home")
    assert "2026-10-12 02:00" in readout.inner_text()
    for _ in range(32):
        tab.page.keyboard.press("ArrowRight")
    assert "step +" in readout.inner_text()
    link = readout.locator("a").get_attribute("href")
    tab.page.keyboard.press("Shift+Tab")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(DRAWN)
    assert tab.page.url.endswith(link)
    assert "REGRESSED" in tab.page.inner_text("h1")
    assert tab.complaints == []


def test_missed_nights_are_steps_of_a_chart_that_have_no_run(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    jetson = tab.page.locator('figure.trend[data-place="1"]').first
    slider, readout = jetson.locator(".stepper"), jetson.locator(".readout")
    assert "2026-11-15 02:00" in readout.inner_text(), "the newest run comes first"
    slider.focus()
    tab.page.keyboard.press("ArrowRight")
    assert readout.inner_text() == "2026-11-16: no run"
    tab.page.keyboard.press("End")
    assert readout.inner_text() == "2026-11-20: no run"
    assert tab.complaints == []


def test_rows_are_searched_by_words_and_by_state(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, "index.html"))
    rows = tab.page.locator("[data-search]:visible")
    before = rows.count()
    tab.page.fill("#search", "nfe_steps=8 JETSON pesq")
    found = rows.all_inner_texts()
    assert 0 < len(found) < before and all("nfe_steps=8" in text for text in found)
    tab.page.fill("#search", "")
    tab.page.select_option("#states", "worse")
    assert "latency_p95" in " ".join(rows.all_inner_texts()), "folded rows that fit are unfolded"
    assert tab.page.inner_text("#found").split()[1] == "of"
    tab.page.select_option("#states", "")
    assert rows.count() > before
    assert tab.complaints == []


def test_commands_are_copied_by_a_click_and_tips_follow_the_cursor(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, "index.html"))
    button = tab.page.locator("header button.copy:visible").first
    button.click()
    tab.page.wait_for_function(
        "['copied', 'selected'].includes(document.querySelector('header button.copy').textContent)"
    )
    tab.page.locator("svg.nights-row rect.night-gap:visible").first.hover()
    assert tab.page.inner_text("#tip").endswith("no run")


def test_chart_has_its_values_as_a_table_with_links_to_the_runs(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    tab.page.get_by_text("Values of latency_p50 as a table").first.click()
    rows = tab.page.locator("figure.trend details table").first.locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == NIGHTS
    assert rows.first.locator("a").get_attribute("href") == f"run-{NIGHTS}.html"
    assert rows.nth(1).locator("a").get_attribute("href") == f"run.html#{NIGHTS - 1}"


def test_first_run_of_all_is_drawn_too(chromium: Any, tmp_path: Path) -> None:
    made = make_site(tmp_path, usual()[:1])
    with chromium.new_context() as context:
        tab = watched(context)
        tab.open(address(made.out, CELL), DRAWN)
        assert min(tab.page.evaluate(INK)) > 500
        assert tab.complaints == []


def test_span_shows_the_last_days_of_every_chart(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    before = tab.page.locator(".plot canvas").first.screenshot()
    tab.page.select_option("#span", "30")
    assert tab.page.locator(".plot canvas").first.screenshot() != before


def test_machines_are_shown_side_by_side_for_any_metric(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    figure = tab.page.locator("figure.machines")
    before = figure.locator(".readout").inner_text()
    figure.locator("select").select_option("pesq")
    assert figure.locator(".readout").inner_text() != before
    assert figure.locator("canvas").count() == 1


def test_run_of_the_address_is_shown_and_a_new_address_shows_another(
    site: Made, tab: Visit
) -> None:
    tab.open(address(site.out, "run.html#3"), DRAWN)
    assert "PASS" in tab.page.inner_text("h1")
    assert "what each cell cost" in tab.page.inner_text("main").lower()
    tab.page.evaluate("location.hash = '#35'")
    tab.page.locator("h1", has_text="REGRESSED").wait_for()
    assert "cells got worse or failed." in tab.page.inner_text("h1")
    assert "latency_p50 +8.0 %" in tab.page.inner_text("ol.findings")
    tab.page.evaluate("document.getElementById('cell-2').open = false")
    tab.page.locator("ol.findings button", has_text="nfe_steps=8").click()
    assert tab.page.locator("#cell-2").get_attribute("open") == ""
    assert (
        "nfe_steps 8 8 yes counted".split()
        == tab.page.locator("details:nth-of-type(2) table:has-text('observed') tbody tr")
        .inner_text()
        .split()
    )
    tab.page.evaluate("location.hash = '#4711'")
    tab.page.locator("h1", has_text="no such run").wait_for()
    assert tab.complaints == []


def test_budget_and_reels_of_a_run_are_columns_of_its_page(tmp_path: Path, tab: Visit) -> None:
    first, second, third = usual()[:3]
    values = {"cold_start": ("s", 1.25), "caption_drift": ("s", 0.031)}
    entries = [
        with_values(first, values),
        with_values(second, {**values, "budget_share": ("1", 0.784)}),
        with_values(third, {**values, "budget_share": ("1", 1.0004)}),
    ]
    made = make_site(tmp_path, entries)
    heads = []
    for number, kept in ((1, ""), (2, "met 0.78"), (3, "missed 1.0004")):
        tab.open(address(made.out, f"run.html#{number}"), DRAWN)
        table = tab.page.locator("main table").first
        heads.append(table.locator("thead th").all_inner_texts())
        assert kept in table.inner_text() and "31.0" in table.inner_text()
    assert heads[1] == heads[2] and heads[1][2:5] == ["p50 ms", "budget", "cold ms"]
    assert [each for each in heads[1] if each not in heads[0]] == ["budget", "cold ms"]
    assert "captions ms" in heads[0] and tab.complaints == []


def test_two_environments_are_compared_and_others_can_be_chosen(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, f"compare.html#{NIGHTS - 1},{NIGHTS}"), DRAWN)
    differing = tab.page.locator("tr.different").all_inner_texts()
    assert any(
        each.split() == ["toolchain", "·", "torch", "2.13.0", "2.13.1"] for each in differing
    )
    tab.page.select_option("#place-b", label="smoke · jetson-agx-orin-12c-62g-9e77b3 (cpu-gate)")
    tab.page.locator("#result", has_text="jetson-agx").wait_for()
    assert "machine · id" in tab.page.inner_text("#result table")
    assert tab.page.url.endswith(f"#{NIGHTS - 1},{2 * NIGHTS - 5}")


def test_no_page_is_wider_than_a_phone(site: Made, chromium: Any) -> None:
    with chromium.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True) as context:
        tab = watched(context)
        for name, settled in PAGES.items():
            tab.open(address(site.out, name), settled)
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert tab.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(site: Made, chromium: Any, scheme: str) -> None:
    with chromium.new_context(viewport=DESKTOP, color_scheme=scheme) as context:
        tab = watched(context)
        for name, settled in PAGES.items():
            tab.open(address(site.out, name), settled)
            assert tab.page.evaluate(CONTRASTS) == [], name
            ground = tab.page.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
            )
            assert (max(ground) < 60) == (scheme == "dark"), name


def test_charts_take_the_colours_of_a_theme_that_changes(site: Made, tab: Visit) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    light = tab.page.locator(".plot canvas").first.screenshot()
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_timeout(200)
    assert tab.page.locator(".plot canvas").first.screenshot() != light


def test_without_scripts_states_reasons_and_the_latest_runs_are_there(
    site: Made, chromium: Any
) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address(site.out, "index.html"))
        assert "1 thing got worse" in page.inner_text("h1")
        page.goto(address(site.out, CELL))
        assert (
            "ms by more than 3.0 %" in page.inner_text("main")
            and page.locator("noscript svg.spark").count() >= 0
        )
        page.goto(address(site.out, f"run-{NIGHTS}.html"))
        assert "2.13.1" in page.inner_text("main")


def test_page_prints_with_its_charts_in_the_light(site: Made, tab: Visit, tmp_path: Path) -> None:
    tab.open(address(site.out, CELL), DRAWN)
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--ink')"
    light = tab.page.evaluate(ink)
    tab.page.emulate_media(color_scheme="dark")
    assert tab.page.evaluate(ink) != light
    tab.page.emulate_media(color_scheme="dark", media="print")
    assert tab.page.evaluate(ink) == light
    tab.page.pdf(path=str(tmp_path / "cell.pdf"))
    assert (tmp_path / "cell.pdf").stat().st_size > 50_000
    assert tab.complaints == []


def test_hostile_texts_run_nothing(chromium: Any, attacked: Made) -> None:
    made = attacked
    with chromium.new_context() as context:
        tab = watched(context)
        tab.page.on("dialog", lambda dialog: tab.complaints.append(f"dialog {dialog.message}"))
        for name in [*made.pages(), "run.html#1", "compare.html#1,3"]:
            tab.open(
                address(made.out, name),
                DRAWN if name.startswith(("cell", "run.html#", "compare")) else None,
            )
            assert tab.page.locator("img[src=x]").count() == 0
        assert [each for each in tab.complaints if "run.html" not in each] == []

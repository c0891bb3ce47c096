"""
The blind test in a real browser: a listener with perfect ears, one who guesses, and the votes that
both save.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from tests.harness.report.browser import Visit
from tests.harness.report.listening.making import two_runs
from voxgate.harness.history.importers.votes import votes
from voxgate.harness.report.listening import abx_page

EAR = Path(__file__).with_name("tap.js").read_text()
GOLDEN, PREVIOUS = "0", "1"  # pairs, as they stand in the page's list


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("abx")
    heard = two_runs(folder)
    abx_page(heard.history, heard.run, folder / "site", heard.baselines)
    return folder / "site"


@pytest.fixture
def opened(site: Path, visit: Callable[..., Visit]) -> Iterator[Visit]:
    visited = visit(site / "abx-2.html", EAR, accept_downloads=True)
    yield visited
    assert visited.complaints == []
    assert visited.strangers(site) == []


def begin(page: Any, mode: str = "abx", trials: int = 10, seed: int = 7) -> None:
    page.locator("#trials").select_option(str(trials))
    page.locator(f"input[value={mode}]").check()
    page.locator("#seed").fill(str(seed))
    page.locator("#listener").fill("ear")
    page.locator("#start").click()


def loaded(page: Any) -> None:
    page.locator("#now").filter(has_text="Listen to").wait_for()


def pitch(page: Any, key: str) -> float:
    """Which voice a key plays: where the rising tone began."""
    page.keyboard.press(key)
    found = page.evaluate("listen(0.12)")
    return float(found["hz"] - 300.0 * float(page.locator("#position").input_value()))


def answer_by_ear(page: Any, keys: str, choose: Callable[..., str]) -> None:
    """
    Ten trials: all are played, those in `keys` are listened to, and `choose` makes an answer of
    their pitches.
    """
    for number in range(10):
        assert page.locator("#trial-title").inner_text() == f"Trial {number + 1} of 10"
        loaded(page)
        for key in "axb":
            page.keyboard.press(key)
        page.keyboard.press(choose(*(pitch(page, key) for key in keys)))
    page.wait_for_selector("#result:not([hidden])")


def answer_blindly(page: Any, key: str) -> None:
    """Ten trials, always the same answer."""
    for _ in range(10):
        loaded(page)
        for each in f"axb{key}":
            page.keyboard.press(each)
    page.wait_for_selector("#result:not([hidden])")


def saved(page: Any) -> dict[str, Any]:
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename.startswith("votes-smoke-2")
    return json.loads(Path(download.value.path()).read_text())


def test_perfect_ears_are_always_right_and_their_votes_import(opened: Visit) -> None:
    page = opened.page
    begin(page)
    answer_by_ear(page, "ax", lambda a, x: "1" if abs(a - x) < 100 else "2")

    assert "You hear the difference: 10 of 10 right." in page.locator("#sentence").inner_text()
    figures = page.locator("#figures").inner_text()
    assert "69 % to 100 %" in figures
    assert "0.00098" in figures
    document = saved(page)
    assert document["a"]["label"].startswith("previous, rev1")
    found = votes(document)
    assert len(found) == 10
    assert all(vote.correct for vote in found)
    assert {vote.x for vote in found} == {"a", "b"}
    assert {vote.request for vote in found} == {"u01", "u02", "u03"}
    assert found[0].listener == "ear"


def test_always_the_same_answer_proves_nothing(opened: Visit) -> None:
    page = opened.page
    begin(page)
    answer_blindly(page, "1")

    assert "No difference is shown" in page.locator("#sentence").inner_text()
    assert "does not prove that there is none" in page.locator("#sentence").inner_text()
    right = sum(vote.correct for vote in votes(saved(page)))
    assert 2 <= right <= 8
    interval = stats.binomtest(right, 10).proportion_ci(method="exact")
    assert (
        f"{100 * interval.low:.0f} % to {100 * interval.high:.0f} %"
        in page.locator("#figures").inner_text()
    )


def test_preference_is_told_by_name_and_saved_by_side(opened: Visit) -> None:
    page = opened.page
    begin(page, "preference")
    assert not page.locator("#hear-x").is_visible()
    # likes the higher voice: the current run's
    answer_by_ear(page, "a", lambda a: "1" if a > 2200 else "2")

    assert "You prefer current, rev2: 10 of 10." in page.locator("#sentence").inner_text()
    document = saved(page)
    assert {vote.answer for vote in votes(document)} == {"b"}
    assert "x" not in document["trials"][0]


def test_no_preference_is_counted_apart(opened: Visit) -> None:
    page = opened.page
    begin(page, "preference")
    answer_blindly(page, "3")

    assert page.locator("#sentence").inner_text() == "No preference in any trial."
    assert {vote.answer for vote in votes(saved(page))} == {"none"}


def test_same_seed_asks_the_same_and_another_seed_something_else(opened: Visit) -> None:
    page, asked = opened.page, []
    for seed in (7, 7, 8):
        begin(page, seed=seed)
        answer_blindly(page, "1")
        asked.append([(trial["request"], trial["x"]) for trial in saved(page)["trials"]])
        page.locator("#again").click()

    assert asked[0] == asked[1] != asked[2]


def test_answer_waits_until_all_was_heard(opened: Visit) -> None:
    page = opened.page
    begin(page)
    loaded(page)
    page.keyboard.press("a")
    page.keyboard.press("1")

    assert page.locator("#now").inner_text() == "Listen to A, X, B first."
    assert page.locator("#trial-title").inner_text() == "Trial 1 of 10"


def test_stopping_early_is_said(opened: Visit) -> None:
    page = opened.page
    begin(page)
    loaded(page)
    for key in "axb1":
        page.keyboard.press(key)
    page.locator("#stop").click()

    assert "Stopped 9 trials early" in page.locator("#caution").inner_text()
    document = saved(page)
    assert len(votes(document)) == 1
    assert (document["planned"], document["seed"]) == (10, 7)


def test_nothing_tells_x_before_the_answer(opened: Visit) -> None:
    """
    Two trials whose X differ leave the same traces: markup, requests and their order are told apart
    by nothing.
    """
    page = opened.page
    begin(page)
    traces = set()
    for _ in range(6):
        loaded(page)
        for key in "abx":
            page.keyboard.press(key)
        page.keyboard.press("Space")
        markup = page.locator("#trial").evaluate(
            "e => { e = e.cloneNode(true); e.querySelector('#text').remove(); return e.outerHTML; }"
        )
        for moving in ("trial-title", "progress", "position", "time", "now"):
            markup = "".join(part for part in markup.split("<") if f'id="{moving}"' not in part)
        traces.add(markup)
        page.keyboard.press("1")

    assert len(traces) == 1
    clips = [url for url in opened.requests if "/audio/" in url]
    pairs = [clips[index : index + 2] for index in range(0, len(clips), 2)]
    assert pairs
    assert all(pair == sorted(pair) for pair in pairs)


def test_seed_that_is_no_number_is_refused(opened: Visit) -> None:
    page = opened.page
    page.locator("#seed").fill("abc")
    page.locator("#start").click()

    assert "The seed must be a whole number" in page.locator("#about-pair").inner_text()
    assert not page.locator("#trial").is_visible()


def test_phone_has_large_buttons_and_no_sideways_scrolling(
    site: Path, visit: Callable[..., Visit]
) -> None:
    visited = visit(
        site / "abx-2.html",
        viewport={"width": 360, "height": 740},
        color_scheme="dark",
        has_touch=True,
    )
    page = visited.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    begin(page)
    loaded(page)
    page.locator("#hear-x").tap()

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#hear-a").bounding_box()["height"] >= 60
    assert page.locator("#answer-1").bounding_box()["height"] >= 44


def test_statistics_of_the_page_are_those_of_scipy(opened: Visit) -> None:
    counts = [
        (right, n) for n in (1, 10, 16, 40, 200) for right in sorted({0, 1, n // 2, n - 1, n})
    ]
    answers = opened.page.evaluate(
        "counts => counts.map(([k, n]) => [...interval(k, n), oneSided(k, n), twoSided(k, n)])",
        [list(each) for each in counts],
    )

    for (right, n), answer in zip(counts, answers, strict=True):
        exact = stats.binomtest(right, n)
        share = exact.proportion_ci(method="exact")
        better = stats.binomtest(right, n, alternative="greater").pvalue
        assert answer[:2] == pytest.approx([share.low, share.high], abs=1e-9)
        assert answer[2:] == pytest.approx([better, exact.pvalue], rel=1e-9)


def test_fewest_right_answers_that_show_something(opened: Visit) -> None:
    found = {n: opened.page.evaluate("needed", n) for n in (4, 5, 10, 16, 24, 40)}

    assert found == {4: None, 5: 5, 10: 9, 16: 12, 24: 17, 40: 26}

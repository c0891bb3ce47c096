"""
The listening page in a real browser. Every voice is a rising tone, so that the frequency that is
heard tells whose voice it is, and where in it the player stands.
"""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import Visit
from tests.harness.report.listening.making import (
    SECONDS,
    SLOPE_HZ_PER_S,
    STARTS_HZ,
    Rows,
    requests,
    rising,
    row,
    two_runs,
    write_run,
)
from tests.harness.report.making import HOSTILE
from voxgate.harness.report.listening import listening_page

EAR = Path(__file__).with_name("tap.js").read_text()
KEYS = {"golden": "1", "previous": "2", "current": "3"}
SAYS = "([name, text]) => document.querySelector(name).textContent === text"
WINDOW_S = 4096 / 48000 / 2  # what is heard is the middle of the analyser's window


@dataclass(frozen=True)
class Heard:
    """What an ear hears: how loud, and by the frequency whose voice, and where in it."""

    voice: tuple[str, str]
    position_s: float
    db: float
    time_s: float


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen")

    def clicked(request: str) -> Any:
        found = rising(STARTS_HZ["current", "nfe-8"], level=0.1)
        found[16_000] = 0.45
        return found

    heard = two_runs(folder, nfe_8=clicked)
    listening_page(heard.history, heard.run, folder / "site", heard.baselines)
    (folder / "site" / "index.html").write_text("<title>index</title>")
    return folder / "site"


@pytest.fixture
def opened(site: Path, visit: Callable[..., Visit]) -> Iterator[Visit]:
    """The page, ready; at the end it has complained of nothing and asked nobody for anything."""
    visited = visit(site / "listen-2.html", EAR)
    ready(visited.page)
    yield visited
    assert visited.complaints == []
    assert visited.strangers(site) == []


def ready(page: Any) -> None:
    page.wait_for_selector("#voices button[aria-pressed=true]")
    page.wait_for_selector("#spectrogram[src]")


def listen(page: Any) -> Heard:
    for _ in range(20):  # a busy machine begins to play late
        found = page.evaluate("listen(0.14)")
        if found is not None:
            break
        page.wait_for_timeout(100)
    assert found is not None, "nothing is heard"
    start_hz, voice = max((hz, voice) for voice, hz in STARTS_HZ.items() if hz - 30 <= found["hz"])
    position_s = (found["hz"] - start_hz) / SLOPE_HZ_PER_S + WINDOW_S
    return Heard(voice=voice, position_s=position_s, db=found["db"], time_s=found["time_s"])


def position(page: Any) -> float:
    return float(page.locator("#position").input_value())


def test_switching_changes_the_voice_and_keeps_the_position(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("1")
    first = listen(page)
    assert first.voice == ("golden", "nfe-32")

    for when in ("current", "previous", "golden"):
        page.keyboard.press(KEYS[when])
        then = listen(page)
        assert then.voice == (when, "nfe-32")
        assert then.position_s - first.position_s == pytest.approx(
            then.time_s - first.time_s, abs=0.05
        )
        assert position(page) == pytest.approx(then.position_s, abs=0.1)


def test_levels_are_matched_and_can_be_left_as_they_were(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("3")
    loud = listen(page)
    page.keyboard.press("5")
    matched = listen(page)
    page.keyboard.press("m")
    original = listen(page)

    assert matched.voice == original.voice == ("current", "nfe-8")
    assert matched.db == pytest.approx(loud.db, abs=0.2)
    assert original.db == pytest.approx(loud.db - 6.0, abs=0.2)
    assert "at its original level" in page.locator("#now").inner_text()
    assert "+6.0 dB" in page.locator("#voices button").nth(4).inner_text()


def test_it_opens_on_the_take_that_changed_most_and_a_click_on_a_take_plays_it(
    opened: Visit,
) -> None:
    page = opened.page
    pressed = page.locator("#voices button[aria-pressed=true]")
    assert pressed.get_attribute("data-take") == "4", "the click is in nfe=8"
    page.locator("#voices button").nth(1).click()
    assert listen(page).voice == ("previous", "nfe-32")
    page.locator("#voices button").nth(1).click()
    assert page.locator("#play").inner_text() == "Play", "again on it: pause"


def test_one_key_plays_the_old_voice_and_then_the_new_one_around_the_fault(opened: Visit) -> None:
    page = opened.page
    both = page.locator("#both")
    assert "click at 1.00 s, only in the new take" in page.locator("#told").inner_text()
    page.keyboard.press("o")
    page.wait_for_function(SAYS, arg=["#both", "Stop (old voice)"])
    old = listen(page)
    page.wait_for_function(SAYS, arg=["#both", "Stop (new voice)"])
    new = listen(page)
    page.wait_for_function(SAYS, arg=["#play", "Play"])

    assert (old.voice, new.voice) == (("previous", "nfe-8"), ("current", "nfe-8"))
    assert 0.25 < old.position_s < 1.3 and 0.25 < new.position_s < 1.3
    assert position(page) == pytest.approx(1.9, abs=0.06)
    assert both.inner_text() == "Old, then new"


def test_a_row_of_the_table_plays_old_and_new_of_what_changed_in_it(opened: Visit) -> None:
    page = opened.page
    button = page.get_by_role("button", name="Hear u02: Old, new")
    button.click()
    page.get_by_role("button", name="Stop (old voice)").wait_for()
    assert listen(page).voice == ("previous", "nfe-8")
    assert page.locator("#text").inner_text().startswith("2.")
    page.get_by_role("button", name="Stop (old voice)").click()
    button.wait_for()
    assert page.locator("#play").inner_text() == "Play"


def test_another_wish_ends_hearing_both(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("o")
    page.wait_for_function(SAYS, arg=["#both", "Stop (old voice)"])
    page.keyboard.press("1")
    assert listen(page).voice == ("golden", "nfe-32")
    page.wait_for_timeout(400)
    assert listen(page).voice == ("golden", "nfe-32"), "the new voice does not follow"
    assert page.locator("#both").inner_text() == "Old, then new"


def test_old_and_new_stand_over_one_another_with_axes(opened: Visit) -> None:
    page = opened.page
    tags = [page.locator(f"#{name}-tag").inner_text() for name in ("old", "new", "contrast")]
    assert tags == ["old: previous, nfe=8", "new: current, nfe=8", "new minus old"]
    assert page.locator("#old").get_attribute("alt") == "Spectrogram of previous, nfe=8, u01"
    assert page.locator("#old-lane .ticks span").all_inner_texts()[-1] == "4 kHz"
    assert page.locator("#times span").all_inner_texts()[:2] == ["0 s", "0.2 s"]
    left = [page.locator(f"#{name}").bounding_box()["x"] for name in ("old", "spectrogram")]
    assert left[0] == left[1] == page.locator("#contrast").bounding_box()["x"]
    moment, stack = page.locator("#moment").bounding_box(), page.locator("#stack").bounding_box()
    assert (moment["x"] - stack["x"]) / stack["width"] * SECONDS == pytest.approx(1.0, abs=0.03)


def test_pause_seek_and_end(opened: Visit) -> None:
    page = opened.page
    page.locator("#play").click()
    listen(page)
    page.locator("#play").click()
    stopped = position(page)

    assert page.evaluate("listen(0.15)") is None
    assert position(page) == stopped > 0.1
    page.locator("#position").fill(str(SECONDS - 0.3))
    page.locator("#play").click()
    page.locator("#play", has_text="Pause").wait_for()
    page.locator("#play", has_text="Play").wait_for()
    assert position(page) == 0.0


def test_dragging_repeats_a_region_in_step_for_every_take(opened: Visit) -> None:
    page = opened.page
    box = page.locator("#stack").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=3)
    page.mouse.up()
    page.keyboard.press("Space")
    places = []
    for key in ("3", "2", "1"):
        page.keyboard.press(key)
        places.append(listen(page))

    assert all(1.0 - 0.06 <= place.position_s <= 1.5 + 0.06 for place in places)
    page.keyboard.press("l")
    page.evaluate("listen(0.7)")
    assert position(page) > 1.5


def test_everything_is_reached_by_keyboard(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("n")
    assert page.locator("#text").inner_text().startswith("2.")
    assert page.evaluate("location.hash") == "#u=u02"
    page.keyboard.press("p")
    ready(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert position(page) == pytest.approx(0.4, abs=0.02)
    page.keyboard.press("[")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    assert "0.40 s to 0.60 s" in page.locator("#now").inner_text()
    page.locator("#voices button").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#voices button[data-take='1'][aria-pressed=true]")
    page.keyboard.press("t")
    page.wait_for_selector("#voices button[data-take='4'][aria-pressed=true]")


def test_fault_is_marked_where_it_is(opened: Visit) -> None:
    page = opened.page
    page.wait_for_selector(".flag")
    # the tone lies above the band in which repeats are looked for, where the click is all there is:
    # it has a flag for either
    flag, stack = page.locator(".flag").first.bounding_box(), page.locator("#stack").bounding_box()

    middle = (flag["x"] + flag["width"] / 2 - stack["x"]) / stack["width"] * SECONDS
    assert middle == pytest.approx(1.0, abs=0.02)
    page.get_by_role("button", name="click at 1.00 s").click()
    assert position(page) == pytest.approx(0.9, abs=0.02)


def test_pictures_are_shown_for_the_take_and_its_differences(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("3")
    page.wait_for_selector("#voices button[data-take='2'][aria-pressed=true]")
    assert (
        page.locator("#spectrogram").get_attribute("alt") == "Spectrogram of current, nfe=32, u01"
    )
    assert page.locator("#against option").all_inner_texts() == [
        "current, nfe=32 minus previous, nfe=32",
        "current, nfe=32 minus golden, nfe=32",
    ]
    page.wait_for_selector("#contrast[src]")
    before = page.locator("#contrast").get_attribute("src")
    page.locator("#against").select_option("1")
    page.wait_for_function("old => document.querySelector('#contrast').src !== old", arg=before)
    assert "minus golden, nfe=32: " in page.locator("#contrast").get_attribute("alt")
    assert page.evaluate("document.querySelector('#contrast').naturalWidth") == 300


def test_links_lead_somewhere(opened: Visit, site: Path) -> None:
    page = opened.page
    page.get_by_role("link", name="u03").click()
    page.locator("#text", has_text="3. A sentence").wait_for()
    for name, there in (("Take the blind test", "abx-2.html"), ("overview", "index.html")):
        page.get_by_role("link", name=name, exact=True).click()
        assert page.url == (site / there).resolve().as_uri()
        page.go_back()
        ready(page)


def test_address_opens_an_utterance_and_a_file_that_is_gone_is_told(
    tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    heard = two_runs(tmp_path)
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)
    page = visit(tmp_path / "listen-2.html", fragment="#u=u02").page
    ready(page)
    assert page.locator("#text").inner_text().startswith("2.")
    for path in (tmp_path / "audio").iterdir():
        path.unlink()
    page.keyboard.press("n")

    page.locator("#now", has_text="cannot be played").wait_for()


@pytest.mark.parametrize(
    ("address", "take"), [("#c=nfe%3D32", "2"), ("#c=gone", "4"), ("#u=%E2%28%", "4")]
)
def test_an_address_opens_a_cell_and_one_that_leads_nowhere_what_changed_most(
    site: Path, visit: Callable[..., Visit], address: str, take: str
) -> None:
    visited = visit(site / "listen-2.html", fragment=address)
    ready(visited.page)
    pressed = visited.page.locator("#voices button[aria-pressed=true]")

    assert pressed.get_attribute("data-take") == take


def test_hostile_text_does_nothing(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    asked = requests(2, HOSTILE)
    names = dict.fromkeys(("suite", "profile", "machine", "head"), HOSTILE)
    folder = write_run(tmp_path / "1", {32: lambda request: rising(500.0)}, asked=asked)
    listening_page(Rows([]), row(1, folder, **names), tmp_path, tmp_path)
    visited = visit(tmp_path / "listen-1.html")
    ready(visited.page)

    assert visited.page.locator("#text").inner_text() == f"1. {HOSTILE}"
    assert visited.complaints == []
    assert visited.strangers(tmp_path) == []


def test_phone_shows_all_in_the_dark_without_scrolling_sideways(
    site: Path, visit: Callable[..., Visit]
) -> None:
    view = {"width": 360, "height": 740}
    visited = visit(
        site / "listen-2.html", viewport=view, color_scheme="dark", has_touch=True, is_mobile=True
    )
    page = visited.page
    ready(page)
    page.locator("#voices button").nth(1).tap()
    page.locator("#play").tap()
    page.wait_for_function("() => document.querySelector('#position').value > 0")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert (
        min(
            box["height"]
            for box in (b.bounding_box() for b in page.locator("#voices button").all())
        )
        >= 40
    )
    assert "invert" in page.locator("#spectrogram").evaluate(
        "image => getComputedStyle(image).filter"
    )
    assert visited.complaints == []


def test_works_from_a_web_server(site: Path, visit: Callable[..., Visit]) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        visited = visit(f"{address}listen-2.html", EAR)
        ready(visited.page)
        visited.page.keyboard.press("2")
        assert listen(visited.page).voice == ("previous", "nfe-32")
        assert visited.complaints == []
        assert not [url for url in visited.requests if not url.startswith((address, "data:"))]
    finally:
        server.shutdown()
        server.server_close()


def test_paper_shows_pictures_and_table_and_no_buttons(opened: Visit) -> None:
    page = opened.page
    page.emulate_media(media="print")

    assert not page.locator("#play").is_visible()
    assert page.locator("#spectrogram").is_visible()
    assert page.locator("table.main").is_visible()


def test_screen_reader_finds_names_states_and_words(opened: Visit) -> None:
    opened.page.keyboard.press("3")
    opened.page.wait_for_selector("#voices button[data-take='2'][aria-pressed=true]")
    tree = opened.page.locator("body").aria_snapshot()

    assert 'slider "Position"' in tree
    assert 'button "Pause"' in tree
    assert 'combobox "Utterance"' in tree
    assert 'button "3 current ±0.0 dB" [pressed]' in tree
    assert 'img "Spectrogram of current, nfe=32, u01"' in tree
    assert 'status: "current, nfe=32: 3.00 s' in tree

"""
How the pages look: every kind of page, built once, and its pictures made coarse, so that they tell
a layout that broke and not how a letter is smoothed.

python -m tests.harness.report.looks FOLDER  writes whole screenshots, to be looked at
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.harness.report.listening.making import two_runs
from tests.harness.report.making import Voices
from tests.harness.report.pictures.test_verb_pages import of_doctor, of_load
from tests.harness.report.planted import planted_run, write_site
from tests.harness.selftest.test_speed_result import trust as of_speed
from voxgate.harness.load.page import load_page
from voxgate.harness.machine.checks.check import CheckState
from voxgate.harness.report.doctor_page import doctor_page
from voxgate.harness.report.listening import listening_page
from voxgate.harness.report.page import page
from voxgate.harness.report.verb_page import write_verb_page
from voxgate.harness.selftest.page import speed_page

SHRUNK = 6
"""So many pixels of the screen are one of a coarse picture."""
TILE, STRIP = 4, 12
"""Sides of what is compared, in pixels of a coarse picture."""
Grey = npt.NDArray[np.float64]
VIEWS = tuple(
    (theme, size)
    for theme in ("light", "dark")
    for size in ({"width": 1440, "height": 900}, {"width": 390, "height": 844})
)
HISTORY = "two-causes-among-flukes"
DAILY = ("overview", "cell", "run")


def built(index: Path, folder: Path) -> dict[str, Path]:
    """Return every kind of page by name: those of a site, and those that `folder` gets."""
    return {**_read_daily(index, folder), **_listened(folder), **_of_verbs(folder)}


def views_of(name: str) -> tuple[tuple[str, dict[str, int]], ...]:
    """Return the views in which a page is looked at: what is read daily, in all."""
    return VIEWS if name in DAILY else (VIEWS[0], VIEWS[-1])


def _read_daily(index: Path, folder: Path) -> dict[str, Path]:
    site = index.parent
    alone = folder / "alone.html"
    alone.write_text(page(planted_run("run-slower").report, Voices(0.5)), encoding="utf-8")
    newest = max(site.glob("run-*.html"), key=lambda path: int(path.stem.split("-")[1]))
    return {
        "overview": index,
        "suite": site / "suite-smoke.html",
        "cell": site / "cell-smoke~nfe_steps-8.html",
        "run-of-site": newest,
        "compare": site / "compare.html",
        "run": alone,
    }


def _listened(folder: Path) -> dict[str, Path]:
    heard = two_runs(folder / "heard")
    listening_page(heard.history, heard.run, folder / "listening", heard.baselines)
    return {
        "listen": folder / "listening" / f"listen-{heard.run.id}.html",
        "blind-test": folder / "listening" / f"abx-{heard.run.id}.html",
    }


def _of_verbs(folder: Path) -> dict[str, Path]:
    found = {
        "doctor": doctor_page(of_doctor(CheckState.UNFIT, CheckState.FIT, CheckState.UNKNOWN)),
        "load": load_page(of_load()),
        "selftest": speed_page(of_speed()),
    }
    for name, of in found.items():
        write_verb_page(of, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in found}


def settled(tab: Any, path: Path) -> None:
    """Open a page, and wait for what its script draws."""
    tab.goto(path.as_uri())
    if path.name.startswith(("cell", "compare")):
        tab.wait_for_selector("body[data-drawn=all]", timeout=20_000)


def coarse(png: bytes, size: Mapping[str, int]) -> Image.Image:
    """Return the upper left of a picture, grey and shrunk."""
    with Image.open(io.BytesIO(png)) as picture:
        seen = picture.convert("L").crop((0, 0, size["width"], size["height"]))
        return seen.resize(
            (size["width"] // SHRUNK, size["height"] // SHRUNK), Image.Resampling.BOX
        )


def difference(first: Image.Image, second: Image.Image, slack_px: int = 0) -> float:
    """
    Return how much two pictures differ: the mean over the tenth of the tiles of 24 px that differs
    most, of 255 greys. Each strip of the page may have moved up or down by so many pixels of the
    screen: in another browser a line may end at another word.
    """
    assert first.size == second.size
    greys = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    reach = slack_px // SHRUNK
    padded = np.pad(greys[1], ((reach, reach), (0, 0)), mode="edge")
    tiles = [
        min(
            (_tiles(strip, padded[at + by : at + by + len(strip)]) for by in range(2 * reach + 1)),
            key=np.sum,
        )
        for at, strip in ((at, greys[0][at : at + STRIP]) for at in range(0, len(greys[0]), STRIP))
    ]
    apart = np.sort(np.concatenate(tiles))
    return float(apart[-max(1, len(apart) // 10) :].mean())


def _tiles(first: Grey, second: Grey) -> Grey:
    """Return the differences of the means of tiles."""
    rows, columns = first.shape[0] // TILE, first.shape[1] // TILE
    apart = (first - second)[: rows * TILE, : columns * TILE]
    return np.abs(apart.reshape(rows, TILE, columns, TILE).mean(axis=(1, 3))).ravel()


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


def main(folder: Path) -> None:
    """Write a whole screenshot of every page in every view."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, _browser() as browser:
        pages = built(write_site(HISTORY, Path(place)), Path(place))
        for theme, size in VIEWS:
            with browser.new_context(viewport=size, color_scheme=theme) as context:
                tab = context.new_page()
                for name, path in pages.items():
                    if (theme, size) not in views_of(name):
                        continue
                    settled(tab, path)
                    target = folder / f"{name}-{theme}-{size['width']}.png"
                    tab.screenshot(path=target, full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

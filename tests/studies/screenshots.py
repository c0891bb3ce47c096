"""
Every picture of a page in the documentation, made from commands.

    python -m tests.studies.screenshots                  all of docs/pictures
    python -m tests.studies.screenshots run comment      some
    python -m tests.studies.screenshots --demo FOLDER    from pages that are there, or are made

Needs Chromium, Playwright and flite; measures for some minutes the first time. Look at every
picture before you commit it.
"""

import argparse
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tests.harness.report.github_page import as_page
from tests.studies.demo import AB, voxgate, write_nights, write_pull_request
from tests.studies.demo_server import serving
from voxgate.harness.report.pr_comment import CommentLinks, comment

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS = 128
BOTH_VOICES = 300
"""Pixels of the player's lanes down to the end of the new voice."""
DESK, PHONE = (1280, 860), (390, 844)
RUN_OF_CI = "https://github.com/OWNER/voice/actions/runs/7"
LINKS = CommentLinks(
    page=f"{RUN_OF_CI}/artifacts/8",
    shifts=f"{RUN_OF_CI}/artifacts/9",
    spectrograms=f"{RUN_OF_CI}/artifacts/10",
    log=RUN_OF_CI,
    fetch="git fetch origin pull/12/merge",
    by_comment=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: which page, how large, and of what part of it."""

    page: str
    """Path, or pattern, below the folder of the pages; `#id` goes there."""
    size: tuple[int, int] = DESK
    dark: bool = False
    part: str = ""
    """Selector of the one element that is shown; empty: the first screen."""


STILL = """() => {
  for (const each of document.querySelectorAll('nav, thead')) each.style.position = 'static';
}"""
"""What stays in view would lie over the parts of a page."""
UNFOLDED = """(node) => {
  for (let at = node.closest('details'); at; at = at.parentElement.closest('details')) {
    at.open = true;
  }
}"""
RUN, SITE, FIRST = "pull-request/index.html", "site", "runs/first"
SHOTS = {
    "overview": Shot(page=f"{SITE}/index.html", size=(1280, 1100)),
    "overview-dark": Shot(page=f"{SITE}/index.html", dark=True),
    "overview-phone": Shot(page=f"{SITE}/index.html", size=PHONE),
    "suite": Shot(page=f"{SITE}/suite-smoke.html"),
    "trend": Shot(page=f"{SITE}/cell-smoke~nfe_steps-8.html"),
    "compare": Shot(page=f"{SITE}/compare.html"),
    "run": Shot(page=RUN),
    "run-dark": Shot(page=RUN, dark=True),
    "run-phone": Shot(page=RUN, size=PHONE),
    "shifts": Shot(page=RUN, part="figure:has(.forest)"),
    "stages": Shot(page=RUN, part="figure.drawn-table.bad"),
    "tradeoff": Shot(page=RUN, part="figure.plane"),
    "stream": Shot(page=RUN, part="figure:has(table.streams)"),
    "player": Shot(page=RUN, part=".player"),
    "listening": Shot(page="listening/listen-*.html"),
    "blind-test": Shot(page="listening/abx-*.html"),
    "score": Shot(page="score/index.html"),
    "doctor": Shot(page="doctor.html"),
    "load": Shot(page="load.html"),
    "first-run": Shot(page="first-run/index.html"),
    "comment": Shot(page="comment.html", size=(900, 760), part=".box"),
}
"""Name of the file -> the picture. `caught` is made of two of them."""


SERVED = '''"""What does the server give its listeners when there are many?"""

from voxgate import Suite

suite = Suite(target="http", workload="sentences.toml", fixed={"streamed": False}, cells=[{}])
'''


def pages(folder: Path) -> None:
    """
    Write the pages, each by the command that a user would type. What was measured in this folder
    before is kept, so that a change of the pages alone is soon seen.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    repository = folder / "repository"
    write_nights(folder / SITE)
    write_pull_request((folder / RUN).parent, repository)
    url = f"sqlite:///{repository}/history.sqlite"
    if not (repository / FIRST).is_dir():
        where = ("--out", FIRST, "--repeats", "1")
        voxgate(repository, "check", "voice", "--profile", "cpu", "--history", url, *where)
    voxgate(repository, "report", FIRST, "--out", f"{folder}/first-run")
    voxgate(repository, "report", "--site", "--history", url, "--out", f"{folder}/listening")
    sides = [f"{AB}/{side}/audio/nfe_steps-8" for side in ("base", "head")]
    voxgate(repository, "score", *sides, "--texts", "sentences.toml", "--out", f"{folder}/score")
    voxgate(repository, "doctor", "--profile", "cpu", "--html", f"{folder}/doctor.html")
    if not (folder / "load.html").is_file():
        (repository / "suites/served.py").write_text(SERVED)
        levels = ("--closed", "1,2,4,8", "--duration", "4")
        with serving() as address:
            where = ("--url", address, "--html", f"{folder}/load.html")
            voxgate(repository, "load", "served", *levels, *where)
    document = json.loads((folder / "pull-request" / "judgement.json").read_text())
    text = as_page([("comment", comment(document, LINKS))])
    (folder / "comment.html").write_text(text, encoding="utf-8")


@contextmanager
def browser() -> Any:
    """Open Chromium. Raises RuntimeError where there is none."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise RuntimeError("there is no chromium: apt-get install chromium fonts-noto-color-emoji")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()


def taken(chromium: Any, folder: Path, shot: Shot) -> Image.Image:
    """Take a picture."""
    context = chromium.new_context(
        viewport={"width": shot.size[0], "height": shot.size[1]},
        color_scheme="dark" if shot.dark else "light",
    )
    page = context.new_page()
    name, _, place = shot.page.partition("#")
    path = next(iter(sorted(folder.glob(name))), folder / name)
    page.goto(path.resolve().as_uri() + (f"#{place}" if place else ""))
    page.wait_for_timeout(1500)  # charts that a script draws
    page.evaluate(STILL)
    whole = page if not shot.part else page.locator(shot.part).first
    if shot.part:
        whole.evaluate(UNFOLDED)
    picture = Image.open(io.BytesIO(whole.screenshot(timeout=10_000))).convert("RGB")
    context.close()
    return picture


def caught(chromium: Any, folder: Path) -> Image.Image:
    """Set the top of the run's page above its player: what was caught, and both voices."""
    above = taken(chromium, folder, Shot(page=RUN, size=(1280, 438)))
    below = taken(chromium, folder, Shot(page=RUN, part="#stack"))
    below = below.crop((0, 0, below.width, BOTH_VOICES))
    width, gap = max(above.width, below.width), 16
    whole = Image.new("RGB", (width, above.height + gap + below.height), "white")
    whole.paste(above, (0, 0))
    whole.paste(below, ((width - below.width) // 2, above.height + gap))
    return whole


def kept(picture: Image.Image, path: Path) -> None:
    """Write a picture with as few colours as it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
    print(f"{path}  {picture.width} x {picture.height}  {path.stat().st_size / 1024:.0f} KiB")


def make(folder: Path, names: Iterable[str]) -> list[str]:
    """Write pictures; return the names of those whose part is on no page."""
    absent = []
    with browser() as chromium:
        for name in names:
            try:
                picture = (
                    caught(chromium, folder)
                    if name == "caught"
                    else taken(chromium, folder, SHOTS[name])
                )
            except Exception as error:  # Playwright's own: named at the end
                absent.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            kept(picture, PICTURES / f"{name}.png")
    return absent


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the pictures that were asked for; return 1 where one could not be made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SHOTS)}, caught")
    parser.add_argument("--demo", type=Path, help="where the pages are, or are made")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.demo or Path(temporary)
        pages(folder)
        absent = make(folder, options.names or ["caught", *SHOTS])
    print("\n".join(absent))
    return 1 if absent else 0


if __name__ == "__main__":
    raise SystemExit(main())

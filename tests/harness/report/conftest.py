"""
A real browser for the pages: Debian's Chromium, driven by Playwright. Where there is none, tests
skip with a reason.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import Visit, watched
from tests.harness.report.planted import write_site


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window that may play sound unasked."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on PATH: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def planted_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes the site of a planted history, once; returns its first page, which nobody changes."""
    folder = tmp_path_factory.mktemp("planted")
    return cache(lambda name: write_site(name, folder / name))


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """
    Opens a page (a file, or an address) in a profile of its own; keyword arguments as
    `Browser.new_context` has them.
    """
    with ExitStack() as open_contexts:

        def open_page(
            where: Path | str, script: str = "", fragment: str = "", **options: Any
        ) -> Visit:
            context = chromium.new_context(**options)
            open_contexts.callback(context.close)
            if script:
                context.add_init_script(script)
            visited = watched(context)
            visited.page.goto(
                (where if isinstance(where, str) else where.resolve().as_uri()) + fragment
            )
            return visited

        yield open_page

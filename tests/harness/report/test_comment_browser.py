"""
The comment as a pull request shows it: what a reader sees before anything is unfolded, on a desk
and on a phone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.browser import Visit
from tests.harness.report.github_page import as_html, as_page
from tests.harness.report.outcomes import OUTCOMES, drawn

NAMES = [name for name in OUTCOMES if name != "hostile"]
MEASURED = """() => [...document.querySelectorAll('.comment')].map((box) => {
  const text = (node) => node.innerText.replace(/\\u00a0/g, ' ');
  return {
    height: box.offsetHeight,
    wider: box.scrollWidth - box.clientWidth,
    heading: box.querySelector('h3').offsetTop - box.offsetTop,
    open: box.querySelectorAll('details[open]').length,
    columns: [...box.querySelectorAll('th')].map(text),
    rows: [...box.querySelectorAll('tbody tr')].map(text),
    seen: text(box),
    sideways: [...box.querySelectorAll('table')]
      .some((each) => each.scrollWidth > each.clientWidth),
  };
})"""
FIRST_SCREEN = 460
"""Pixels of a comment before anything is unfolded."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comments") / "comments.html"
    path.write_text(as_page((name, drawn(name)) for name in NAMES), encoding="utf-8")
    return path


@contextmanager
def seen(visit: Callable[..., Visit], page: Path, width: int) -> Iterator[dict[str, Any]]:
    opened = visit(page, viewport={"width": width, "height": 900})
    found = opened.page.evaluate(MEASURED)
    assert opened.complaints == []
    yield dict(zip(NAMES, found, strict=True))


def test_a_reader_on_a_desk_sees_what_broke_without_unfolding(
    visit: Callable[..., Visit], page: Path
) -> None:
    with seen(visit, page, 1012) as found:
        for name, box in found.items():
            assert box["height"] < FIRST_SCREEN, name
            assert (box["open"], box["wider"], box["sideways"]) == (0, 0, False), name
            assert box["heading"] < 30, name
        slower = found["regressed-speed"]
        assert slower["columns"] == ["metric", "base", "head", "change [95 %]", "limit"]
        assert slower["rows"][0].split("\t") == [
            *("❌ latency_p50, nfe=8", "100 ms", "110 ms", "+10.0 % [+9.9 +10.1]", "+5 %")
        ]
        assert "Reproduce: " not in slower["seen"], "the commands are folded"


def test_a_phone_scrolls_nothing_but_a_table(visit: Callable[..., Visit], page: Path) -> None:
    with seen(visit, page, 390) as found:
        assert [name for name, box in found.items() if box["wider"] > 0] == []


def test_github_lets_every_tag_through() -> None:
    for name in OUTCOMES:
        assert "<details>" in as_html(drawn(name)), name
    with pytest.raises(ValueError, match="GitHub would change"):
        as_html('<img src="x" onerror="alert(1)">')

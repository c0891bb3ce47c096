"""
The first 900 px answer: what is worse, where, by how much over which limit, since when. Shown by
planted faults and a reader that has never seen the pages.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report.planted import HISTORIES, RUNS, Truth, write_run
from tests.harness.report.reading import Finding, Reading, read

SCREEN = {"width": 1440, "height": 900}
SLOWER = ("slower", "latency", "latency_p50", "p50")


TOLD = """<!doctype html><body><h1>2 things got worse.</h1><ul>
<li><b>pesq 0.33 MOS-LQO lower (limit 0.15)</b> smoke / nfe_steps=4 on xeon-4c-16g-a17c20 and
jetson-agx-orin-12c-62g-9e77b3<br>since 2026-11-23, between aaaaaaa (2026-11-22) and bbbbbbb</li>
<li>13.1 % slower (limit 5 %): acoustic +14 %. Also p95<br>smoke / nfe_steps=8 on xeon-4c-16g-a17c20
<br>since 2026-11-18</li></ul>
<p><span style="position: absolute; width: 1px; height: 1px; overflow: hidden; white-space: nowrap">
told aloud: nfe_steps=2 is 40 % slower</span></p>
<details><summary>2 advisory</summary><p>peak_rss 14 % more (limit 10 %) nfe_steps=4</p></details>
<h2 style="margin-top: 9rem">Nights</h2><p>nfe_steps=16</p>
<p style="margin-top: 60rem">nfe_steps=32 is 70 % slower (limit 5 %) since 2026-11-01</p>"""


def test_the_reader_reads_what_a_page_tells_and_nothing_hidden_or_further_down(
    chromium: Any,
) -> None:
    with chromium.new_context(viewport=SCREEN) as context:
        tab = context.new_page()
        tab.set_content(TOLD)
        found = read(tab)
    first, second = found.findings
    assert (found.title, found.count) == ("2 things got worse.", 2)
    assert (first.what, first.size, first.limit, first.since) == ("pesq", 0.33, 0.15, "2026-11-23")
    assert first.cells == {"nfe_steps=4"}
    assert first.machines == {"xeon-4c-16g-a17c20", "jetson-agx-orin-12c-62g-9e77b3"}
    assert (second.what, second.size, second.limit) == ("slower", 13.1, 5.0)
    assert (second.cells, second.since) == ({"nfe_steps=8"}, "2026-11-18")


@pytest.fixture(scope="module")
def reader(
    chromium: Any,
    planted_site: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], tuple[Reading, tuple[Truth, ...]]]]:
    """Reads the page of a planted history or run; returns what there was to find, too."""
    folder = tmp_path_factory.mktemp("planted")
    with chromium.new_context(viewport=SCREEN) as context:
        tab = context.new_page()

        def look(name: str) -> tuple[Reading, tuple[Truth, ...]]:
            if name in RUNS:
                path, truths = write_run(name, folder / name)
            else:
                path, truths = planted_site(name), HISTORIES[name].truths
            tab.goto(path.as_uri())
            return read(tab), truths

        yield look


@pytest.mark.parametrize("name", (*HISTORIES, *RUNS))
def test_the_first_screen_tells_what_is_worse_where_and_since_when(
    reader: Callable[[str], tuple[Reading, tuple[Truth, ...]]], name: str
) -> None:
    reading, truths = reader(name)
    told = "\n".join([reading.title, *map(str, reading.findings)])
    assert len(reading.findings) == len(truths), told
    for truth, finding in zip(truths, reading.findings, strict=True):
        assert _faults(truth, finding) == [], f"{truth}\n{told}"
    assert reading.count == len(truths), told


def test_the_pages_behind_the_first_one_tell_it_too(
    chromium: Any, planted_site: Callable[[str], Path]
) -> None:
    site = planted_site("one-cell-slower").parent
    (truth,) = HISTORIES["one-cell-slower"].truths
    runs = [path for path in site.glob("run-*.html") if "REGRESSED" in path.read_text()]
    with chromium.new_context(viewport=SCREEN) as context:
        tab = context.new_page()
        for page in (site / "cell-smoke~nfe_steps-8.html", *runs):
            tab.goto(page.as_uri())
            first = read(tab).findings[0]
            assert _faults(replace(truth, machines=()), first) == [], f"{page.name}: {first}"


def _faults(truth: Truth, finding: Finding) -> list[str]:
    """Return what the reader got wrong."""
    terms = SLOWER if truth.metric == "latency_p50" else (truth.metric,)
    small = truth.limit is None or truth.limit < 2.0
    checks = {
        "what": finding.what in terms or not truth.metric,
        "cells": finding.cells == set(truth.cells),
        "machines": finding.machines == set(truth.machines) or not truth.machines,
        "size": _near(finding.size, truth.size, 0.03 if small else 1.0),
        "limit": _near(finding.limit, truth.limit, 0.001),
        "since": finding.since == truth.since,
    }
    return [name for name, holds in checks.items() if not holds]


def _near(found: float | None, planted: float | None, within: float) -> bool:
    return planted is None or (found is not None and abs(found - planted) <= within)

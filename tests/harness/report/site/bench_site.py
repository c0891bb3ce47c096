"""
How long the site takes to build and to open, and `asv publish` on the same points in the same run:

    python -m tests.harness.report.site.bench_site WORK [--series 1000] [--nights 1000] [--repeats
           5] [--asv PYTHON --asv-repeats 1]

WORK keeps the history between calls. PYTHON is an interpreter that has asv (an environment of its
own). Prints Markdown.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import sync_playwright

from tests.harness.history.make_history import make_history
from tests.harness.report.browser import DESKTOP, address, watched
from tests.harness.report.site.test_browser import DRAWN, USABLE
from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import RunRow, Series

OPENED = 5
"""Times that each page is opened, each in a fresh browser context."""
ENVIRONMENT = "virtualenv-py3.11"
COLUMNS = [
    "result",
    "params",
    "version",
    "started_at",
    "duration",
    "stats_ci_99_a",
    "stats_ci_99_b",
]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--asv", type=Path, metavar="PYTHON")
    parser.add_argument("--asv-repeats", type=int, default=1)
    asked = parser.parse_args()
    work = asked.work.resolve()
    url = f"sqlite:///{work / f'history-{asked.series}-{asked.nights}.sqlite'}"
    if not Path(url.removeprefix("sqlite:///")).exists():
        work.mkdir(parents=True, exist_ok=True)
        make_history(url, series=asked.series, nights=asked.nights, missed=0.0)
    with open_history(url) as history:
        points, series, runs = history.points(), history.series(), history.runs()
    print(f"{len(points)} points, {len(series)} series, {len(runs)} runs; {os.cpu_count()} CPUs\n")
    print("| what | median | each |\n| --- | ---: | --- |")
    site = work / "site"
    command = [
        sys.executable,
        "-m",
        "voxgate",
        "report",
        "--site",
        "--history",
        url,
        "--out",
        str(site),
    ]
    seconds, cpu = timed(command, work, asked.repeats)
    print(row("`voxgate report --site`, s", seconds))
    print(row("of the CPUs, s", cpu))
    print(
        "| files, MB | "
        f"{sum(path.stat().st_size for path in site.rglob('*') if path.is_file()) / 1e6:.0f} | |"
    )
    if asked.asv:
        write_asv(work / "asv", points, series, runs)
        publish = [str(asked.asv), "-m", "asv", "publish", "--no-pull"]
        print(row("`asv publish`, s", timed(publish, work / "asv", asked.asv_repeats)[0]))
        html = work / "asv" / "html"
        print(
            "| its files, MB | "
            f"{sum(path.stat().st_size for path in html.rglob('*') if path.is_file()) / 1e6:.0f} | "
            "|"
        )
    open_pages(site, runs)


def timed(command: Sequence[str], folder: Path, repeats: int) -> tuple[list[float], list[float]]:
    """Runs a command several times; gives its seconds, and those of the CPUs, children included."""
    seconds, cpu = [], []
    for _ in range(repeats):
        began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        seconds.append(time.perf_counter() - began_s)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return seconds, cpu


def row(what: str, values: Sequence[float], digits: int = 1) -> str:
    """Gives one line of the table."""
    return (
        f"| {what} | {statistics.median(values):.{digits}f} | "
        f"{', '.join(f'{each:.{digits}f}' for each in values)} |"
    )


def open_pages(site: Path, runs: Sequence[RunRow]) -> None:
    """
    Opens every kind of page in a real browser: until it can be used, and until every chart is
    drawn.
    """
    cell = max(
        (path for path in (site / "data").glob("cell-*.js")), key=lambda path: path.stat().st_size
    )
    pages: dict[str, str | None] = {
        "index.html": None,
        "suite-smoke.html": None,
        f"{cell.stem}.html": DRAWN,
        f"run-{runs[-1].id}.html": None,
        f"run.html#{runs[len(runs) // 2].id}": DRAWN,
        f"compare.html#{runs[0].id},{runs[-1].id}": DRAWN,
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, settled in pages.items():
            usable, drawn = zip(
                *(opened(browser, address(site, name), settled) for _ in range(OPENED)), strict=True
            )
            print(row(f"{name} usable, ms", usable, 0))
            if settled:
                print(row(f"{name} all drawn, ms", drawn, 0))


def opened(browser: Any, where: str, settled: str | None) -> tuple[float, float]:
    """Opens a page once, with nothing cached; gives milliseconds."""
    with browser.new_context(viewport=DESKTOP) as context:
        tab = watched(context)
        tab.open(where, settled)
        assert tab.complaints == [], tab.complaints
        return tab.page.evaluate(USABLE), tab.page.evaluate("performance.now()")


def write_asv(
    folder: Path, points: "pd.DataFrame", series: Sequence[Series], runs: Sequence[RunRow]
) -> None:
    """
    Writes the same points as asv's results: a commit a night, a benchmark a line, in a repository
    made for it.
    """
    if (folder / "asv.conf.json").exists():
        return
    (folder / "repo").mkdir(parents=True)
    nights = sorted({run.created for run in runs})
    commits = dict(zip(nights, make_commits(folder / "repo", nights), strict=True))
    write(
        folder / "asv.conf.json",
        {
            "version": 1,
            "project": "voxgate",
            "repo": "repo",
            "branches": ["main"],
            "html_dir": "html",
        },
    )
    names = {
        each.id: f"{each.suite}.{each.cell}.{each.metric}".replace("-", "_") for each in series
    }
    write(
        folder / "results" / "benchmarks.json",
        {"version": 2, **{name: benchmark(name) for name in sorted(set(names.values()))}},
    )
    created = {run.id: run.created for run in runs}
    machine = {each.id: each.machine for each in series}
    for name in sorted(set(machine.values())):
        write(
            folder / "results" / name / "machine.json",
            {
                "machine": name,
                "version": 1,
                "os": "Linux",
                "arch": "x86_64",
                "cpu": name,
                "num_cpu": "2",
                "ram": "8",
            },
        )
    frame = points.assign(
        night=points["run"].map(created),
        machine=points["series"].map(machine),
        name=points["series"].map(names),
    )
    for (name, night), group in frame.groupby(["machine", "night"], sort=False):
        write(
            folder / "results" / name / f"{commits[night][:8]}-{ENVIRONMENT}.json",
            result(name, commits[night], night, group),
        )


def make_commits(repo: Path, nights: Sequence[str]) -> list[str]:
    """Makes one empty commit a night; gives their hashes, oldest first."""
    seconds = [int(pd.Timestamp(night).timestamp()) for night in nights]
    stream = "".join(
        f"commit refs/heads/main\ncommitter a <a@b.c> {each} +0000\ndata 1\nx\n" for each in seconds
    )
    git(repo, "init", "-q", "-b", "main")
    git(repo, "fast-import", "--quiet", input=stream)
    return git(repo, "rev-list", "--reverse", "main").split()


def git(repo: Path, *words: str, **more: str) -> str:
    """Runs git."""
    return subprocess.run(
        ["git", *words], cwd=repo, check=True, capture_output=True, text=True, **more
    ).stdout


def benchmark(name: str) -> dict[str, object]:
    """Describes a benchmark as asv does."""
    return {
        "name": name,
        "code": "",
        "param_names": [],
        "params": [],
        "pretty_name": name,
        "type": "time",
        "unit": "seconds",
        "version": "1",
        "timeout": 60,
    }


def result(machine: str, commit: str, night: str, group: "pd.DataFrame") -> dict[str, object]:
    """Gives one commit's values on one machine."""
    when_ms = int(pd.Timestamp(night).timestamp() * 1000)
    rows = zip(group["name"], group["value"], group["low"], group["high"], strict=True)
    values = {
        name: [[None if v != v else v], [], "1", when_ms, None, [low], [high]]
        for name, v, low, high in rows
    }
    return {
        "version": 2,
        "commit_hash": commit,
        "env_name": ENVIRONMENT,
        "date": when_ms,
        "params": {"machine": machine, "python": "3.11"},
        "python": "3.11",
        "requirements": {},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": values,
        "durations": {},
    }


def write(path: Path, content: object) -> None:
    """Writes JSON; NaN becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content).replace("NaN", "null"), encoding="utf-8")


if __name__ == "__main__":
    main()

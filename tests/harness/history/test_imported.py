"""
What other tools measured takes part: policy and budgets judge it, and page and exit code say the
same.
"""

import json
from pathlib import Path

import pytest

from tests.harness.history.foreign_files import nightly
from voxgate.harness.cli.main import invoke

Capture = pytest.CaptureFixture[str]
TODAY = "2025-09-25"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A nightly script's file: from the 20th on 19 % slower."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "voxgate.harness.cli.history.now_utc_iso", lambda: f"{TODAY}T08:00:00+00:00"
    )
    monkeypatch.setattr(
        "voxgate.harness.history.address.now_utc_iso", lambda: f"{TODAY}T08:00:00+00:00"
    )
    days = range(1, 25)
    nights = [
        nightly(day, stats={"mean_rtf": (0.25 if day < 20 else 0.2975) + 0.0005 * (day % 3)})
        for day in days
    ]
    (tmp_path / "performance_history.json").write_text(json.dumps(nights))
    found = f"sqlite:///{tmp_path}/h.sqlite"
    assert invoke(["history", "import", "performance_history.json", "--history", found]) == 0
    return found


def page(url: str, folder: Path) -> str:
    assert invoke(["report", "--site", "--history", url, "--out", str(folder / "site")]) == 0
    return (folder / "site" / "index.html").read_text()


def test_an_imported_metric_that_is_19_per_cent_worse_is_red_on_the_page_and_exit_1(
    url: str, tmp_path: Path, capsys: Capture
) -> None:
    assert invoke(["history", "status", "--history", url]) == 1
    assert "WORSE performance_history cuda agx-orin" in capsys.readouterr().out
    text = page(url, tmp_path)
    assert '<header class="bad">' in text and "<h1>1 thing got worse" in text
    assert "<strong>Since 2025-09-20</strong>" in text


def test_a_policy_may_make_it_advisory_and_then_the_page_is_not_red_either(
    url: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "baselines").mkdir()
    line = "mean_rtf = { relative = 0.05, blocking = false }"
    (tmp_path / "baselines" / "policy.toml").write_text(f"schema_version = 1\n[imported]\n{line}\n")
    assert invoke(["history", "status", "--history", url]) == 0
    assert "WORSE (advisory) performance_history cuda agx-orin" in capsys.readouterr().out
    text = page(url, tmp_path)
    assert '<header class="open">' in text and "<h1>No data from 1 machine" in text
    assert "1 advisory change: worse" in text and "Since 2025-09-20" in text


def test_a_wider_limit_of_the_policy_holds(url: str, tmp_path: Path) -> None:
    (tmp_path / "baselines").mkdir()
    line = "mean_rtf = { relative = 0.5, blocking = true }"
    (tmp_path / "baselines" / "policy.toml").write_text(f"schema_version = 1\n[imported]\n{line}\n")
    assert invoke(["history", "status", "--history", url]) == 0


def test_a_budget_holds_an_imported_metric_to_account(
    url: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "baselines").mkdir()
    budget = (
        'schema_version = 1\n[[budget]]\nsuite = "*"\ncell = "*"\nmetric = "mean_rtf"\nat_most = '
        '0.26\nwhy = "real time"\n'
    )
    (tmp_path / "baselines" / "budgets.toml").write_text(budget)
    assert invoke(["history", "status", "--history", url]) == 1
    assert "0.2977, the budget is at most 0.26: real time" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, text, complaint",
    [
        (
            "policy.toml",
            "schema_version = 1\n[imported]\nmean_rtf = { floor = 1.0, blocking = true }",
            "imported.mean_rtf.floor",
        ),
        (
            "policy.toml",
            "schema_version = 1\n[imported]\nmean_rtf = { relative = 0, blocking = true }",
            "imported.mean_rtf.relative",
        ),
        ("policy.toml", "schema_version = 1\n[imported]\nmean_rtf = 5", "imported.mean_rtf is 5"),
        ("policy.toml", "schema_version = 1\n", r"expected one table \[metrics\]"),
        (
            "budgets.toml",
            'schema_version = 1\n[[budget]]\nsuite = "*"\ncell = "*"\nmetric = "mean_rft"\nat_most '
            '= 1\nwhy = "x"',
            "there is no metric .mean_rft.",
        ),
        (
            "budgets.toml",
            'schema_version = 1\n[[budget]]\nsuite = "*"\ncell = "*"\nmetric = "mean_rtf"\n'
            'at_least = 1\nwhy = "x"',
            "forbids what is good",
        ),
    ],
)
def test_what_is_wrong_in_them_is_named(
    url: str, tmp_path: Path, capsys: Capture, name: str, text: str, complaint: str
) -> None:
    import re

    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / name).write_text(text)
    assert invoke(["history", "status", "--history", url]) == 2
    assert re.search(complaint, capsys.readouterr().err)


def test_a_limit_that_speaks_of_no_series_is_told(
    url: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "baselines").mkdir()
    line = "max_rft = { relative = 0.5, blocking = true }"
    (tmp_path / "baselines" / "policy.toml").write_text(f"schema_version = 1\n[imported]\n{line}\n")
    assert invoke(["history", "status", "--history", url]) == 1
    assert "imported.max_rft matches no series of the history" in capsys.readouterr().err

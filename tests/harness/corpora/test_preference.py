"""Systems ordered by votes: the model's known answers, and the files of a blind test."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxgate.harness.corpora.preference import rank, read_votes
from voxgate.harness.errors import HarnessError
from voxgate.harness.statistics import bradley_terry


def save(path: Path, a: str, b: str, answers: Sequence[str], **changes: Any) -> Path:
    """Write votes as `abx.js` saves them."""
    trials = [
        {"request": f"t{number}", "answer": answer, "answer_s": 3.0}
        for number, answer in enumerate(answers)
    ]
    data = {
        "schema": "voxgate-votes/1",
        "suite": "a / b",
        "cell": "system-1",
        "mode": "preference",
        "a": {"run": "", "label": a},
        "b": {"run": "", "label": b},
        "listener": "me",
        "seed": 1,
        "planned": len(trials),
        "created": "2026-11-30T12:00:00.000Z",
        "trials": trials,
    }
    path.write_text(json.dumps({**data, **changes}))
    return path


def test_strengths_reproduce_the_odds_of_three_systems() -> None:
    true = np.array([1.0, 0.2, -1.2])
    chance = 1.0 / (1.0 + np.exp(true[None, :] - true[:, None]))
    wins = 100_000.0 * chance
    np.fill_diagonal(wins, 0.0)

    assert bradley_terry(wins) == pytest.approx(true, abs=1e-3)


def test_votes_of_files_become_a_ranking_with_intervals(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "1.json", "old", "new", ["b"] * 12 + ["a"] * 3 + ["none"]),
        save(tmp_path / "2.json", "new", "best", ["b"] * 10 + ["a"] * 6),
    ]

    ranking = rank(read_votes([*files, files[0]]))  # the same file twice counts once

    assert [each.name for each in ranking.systems] == ["best", "new", "old"]
    assert (ranking.votes, ranking.listeners, ranking.drawn) == (32, 1, "texts")
    old = ranking.systems[-1]
    assert (old.votes, old.against) == (3.5, 12.5)
    assert old.low is not None and old.high is not None and old.low < old.strength < old.high < 0.0


def test_a_system_that_wins_every_vote_has_a_finite_strength(tmp_path: Path) -> None:
    ranking = rank(read_votes([save(tmp_path / "v.json", "old", "new", ["b"] * 16)]))

    assert math.isfinite(ranking.systems[0].strength)
    assert ranking.systems[0].name == "new"


def test_systems_that_no_vote_links_are_refused(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "1.json", "a", "b", ["a"]),
        save(tmp_path / "2.json", "c", "d", ["a"]),
    ]

    with pytest.raises(HarnessError, match="no vote links c to a"):
        rank(read_votes(files))


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    abx = save(tmp_path / "abx.json", "a", "b", [], mode="abx")

    with pytest.raises(HarnessError, match="holds no votes"):
        read_votes([tmp_path / "other.json"])
    with pytest.raises(HarnessError, match="no preference"):
        rank(read_votes([abx]))

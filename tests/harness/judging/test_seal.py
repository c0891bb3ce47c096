"""
Old baselines get the digests of their golden audio, and keep all else; what cannot be the accepted
audio gets none.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness.fake_runs import accepted
from voxgate.harness.audio.files import write_flac
from voxgate.harness.judging.baseline import load_baseline
from voxgate.harness.judging.baseline_file import render
from voxgate.harness.judging.seal import main

COMMITTED = Path(__file__).parents[3] / "baselines"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A baseline of the first schema, whose audio lasts as long as its durations say."""
    baseline = accepted(tmp_path).quality
    file = tmp_path / "baselines/smoke/quality.json"
    for value in baseline.measurements[baseline.reference]["duration"].values:
        frames = np.zeros(round(value.value * 16_000), dtype=np.float32)
        write_flac(tmp_path / f"baselines/smoke/golden/{value.id}.flac", frames, 16_000)
    file.write_text(render(replace(baseline, golden=None)))
    return file


def test_digests_are_added_and_nothing_else_changes(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = old.read_text().splitlines()
    assert main([str(old.parents[1])]) == 0
    after = old.read_text().splitlines()
    assert set(before) - set(after) == {'"schema_version": 1,'}
    assert len(json.loads(old.read_text())["golden"]) == 8
    assert load_baseline(old.parents[1], "smoke", "box-2c").quality is not None
    assert capsys.readouterr().out == "smoke: sealed\n"
    assert main([str(old.parents[1])]) == 0
    assert capsys.readouterr().out == "smoke: left as it is\n"


@pytest.mark.parametrize("name", ["u03", "more"])
def test_audio_that_cannot_be_the_accepted_one_is_not_sealed(
    old: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_flac(old.parent / f"golden/{name}.flac", np.zeros(7, dtype=np.float32), 16_000)
    before = old.read_text()
    assert main([str(old.parents[1])]) == 2
    assert f"{name}.flac lasts 0.0004 s" in capsys.readouterr().err
    assert old.read_text() == before


@pytest.mark.parametrize(
    "suite", sorted(path.parent.name for path in COMMITTED.glob("*/quality.json"))
)
def test_the_baselines_of_this_repository_are_whole_and_sealed(suite: str) -> None:
    quality = load_baseline(COMMITTED, suite, "nobody").quality
    assert quality is not None
    assert quality.golden is not None

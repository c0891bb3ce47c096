"""The child's side of scoring: what a metric is given, and what becomes of what it gives."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import PATH, RATE_HZ
from voxgate.harness.audio.files import write_wav
from voxgate.harness.audio.recording import Recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, MetricSpec
from voxgate.harness.records.measurement import Metric, Missing, MissingKind, not_installed
from voxgate.harness.scoring import task
from voxgate.harness.scoring.task import AudioTask, RecordingCache, Uncacheable, compute


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[MetricInput], object]], object]:
    """Gives what the scorer makes of what a metric does."""

    def tell(does: Callable[[MetricInput], object]) -> object:
        own = Metric(name="own", unit="1", better="lower", version="1")
        line = MetricSpec(
            metric=own,
            family="plug-in acme",
            source=AudioMetric(metric=own, score=does),
            base="own",
        )  # type: ignore[arg-type]
        monkeypatch.setattr(task, "entry", lambda name: line)
        return next(iter(compute([AudioTask(metric="own", audio=PATH)])))

    return tell


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1.0), np.int64(1)])
def test_every_finite_number_is_a_float(told, value: object) -> None:
    assert told(lambda _: value) == 1.0
    assert type(told(lambda _: value)) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "1.0"])
def test_what_is_no_number_is_missing(told, value: object) -> None:
    assert told(lambda _: value) == Missing(f"own gave {value!r}, which is no number")


def test_a_metric_that_raises_costs_its_value_and_is_tried_again_next_time(told) -> None:
    assert told(lambda _: 1 / 0) == Uncacheable("own failed: ZeroDivisionError: division by zero")


def test_a_package_that_is_missing_inside_a_metric_is_not_remembered(told) -> None:
    assert told(lambda _: not_installed("x", "pip install x")) == Uncacheable(
        "x is not installed; pip install x", MissingKind.NOT_INSTALLED
    )
    assert told(lambda _: Missing("too short")) == Missing("too short")


def test_a_metric_sees_no_more_than_its_task(told) -> None:
    seen: list[MetricInput] = []
    told(lambda inputs: float(len(seen.append(inputs) or seen)))
    inputs = seen[0]
    assert (inputs.text, inputs.reference, inputs.voice, inputs.statement) == (
        "",
        None,
        None,
        None,
    )
    assert inputs.audio.rate_hz == RATE_HZ


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path, shelf = tmp_path / "a.wav", RecordingCache()
    write_wav(path, np.zeros(100, np.float32), 8_000)
    first = shelf.get(path)
    assert shelf.get(path) is first
    write_wav(path, np.zeros(200, np.float32), 8_000)
    assert len(shelf.get(path).samples) == 200


def test_features_are_shared_by_tasks_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[Recording] = []

    def feature(recording: Recording) -> float:
        worked.append(recording)
        return 1.0

    own = Metric(name="own", unit="1", better="lower", version="1")
    source = AudioMetric(metric=own, score=lambda inputs: inputs.audio.once(feature))
    monkeypatch.setattr(
        task, "entry", lambda name: MetricSpec(metric=own, family="x", source=source, base="own")
    )
    assert list(compute([AudioTask(metric="own", audio=PATH)] * 3)) == [1.0] * 3
    assert len(worked) == 1


def test_long_recordings_make_room_for_each_other(tmp_path: Path) -> None:
    shelf = RecordingCache(most_frames=250)
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for path in paths:
        write_wav(path, np.zeros(100, np.float32), 8_000)
    first, second, _ = (shelf.get(path) for path in paths)
    assert shelf.get(paths[1]) is second
    assert shelf.get(paths[0]) is not first


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"cannot read audio .*no.wav: No such file"):
        RecordingCache().get(tmp_path / "no.wav")

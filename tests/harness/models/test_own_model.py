"""Networks of the user's own: which files are refused and why, and what a good one computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from tests.harness.own_networks import (
    WRONG,
    brightness,
    expected_voiceprint,
    saved,
    voiceprint,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.models import dnsmos, own_model
from voxgate.harness.models.own_model import (
    LONGEST_S,
    ModelFile,
    Network,
    examine,
    files_of,
    locate,
    open_network,
    records_of,
    scores,
)
from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Missing, MissingKind
from voxgate.harness.records.own_model import ModelKind, OwnModel, model_entries

NOISE = np.random.default_rng(3).standard_normal(RATE_HZ)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def file_of(path: Path, **named: Any) -> ModelFile:
    (file,) = files_of(model_entries({"mine": {"path": path, **named}}))
    return file


def heard(file: ModelFile, samples: np.ndarray) -> np.ndarray:
    network = open_network(file)
    assert isinstance(network, Network)
    answer = scores(network, samples, file)
    assert not isinstance(answer, Missing), answer
    return answer


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    write, reason = WRONG[name]
    fault = examine(file_of(write(tmp_path / "net.onnx")))
    assert fault is not None
    assert reason in fault
    assert "\n" not in fault


def test_an_embedding_of_one_number_and_an_index_beyond_are_refused(tmp_path: Path) -> None:
    one, many = brightness(tmp_path / "one.onnx"), voiceprint(tmp_path / "many.onnx")
    assert "kind='mos'" in str(examine(file_of(one, kind="embedding")))
    assert "none has the index 6" in str(examine(file_of(many, index=6)))
    assert examine(file_of(many, index=5)) is None


@pytest.mark.parametrize("shape", [("time",), (1, "time"), ("batch", "time"), (1, 1, "time")])
def test_one_channel_may_have_one_to_three_axes(shape: tuple[Any, ...], tmp_path: Path) -> None:
    file = file_of(brightness(tmp_path / "net.onnx", shape=shape))
    assert examine(file) is None
    steps = np.abs(np.diff(NOISE)).mean() / np.abs(NOISE).mean()
    assert heard(file, NOISE) == pytest.approx([steps], rel=1e-5)


def test_an_embedding_is_what_the_network_computes(tmp_path: Path) -> None:
    file = file_of(voiceprint(tmp_path / "net.onnx"), kind="embedding")
    assert examine(file) is None
    assert heard(file, NOISE) == pytest.approx(expected_voiceprint(NOISE), rel=1e-4)


def test_long_audio_is_heard_in_equal_pieces(tmp_path: Path) -> None:
    file = file_of(voiceprint(tmp_path / "net.onnx"), kind="embedding")
    long = np.resize(speech(), round((LONGEST_S + 2) * RATE_HZ))
    halves = [expected_voiceprint(half) for half in np.array_split(long, 2)]
    assert heard(file, long) == pytest.approx(_unit(np.mean(halves, axis=0)), rel=1e-4)


def test_dnsmos_as_a_network_of_the_users_own_has_its_own_values(tmp_path: Path) -> None:
    """A fixed length: windows every second, as the harness's own reading of that model."""
    path = packaged_file(dnsmos.PACKAGE, *dnsmos.P835_FILE)
    if isinstance(path, Missing):
        pytest.skip(path.reason)
    audio = np.resize(speech(), 12 * RATE_HZ)
    ours = dnsmos.p835_scores(audio.astype(np.float32))
    assert not isinstance(ours, Missing)
    assert len(ours) == 3
    for index in range(3):
        found = heard(file_of(path, index=index), audio)
        assert found == pytest.approx([ours[:, index].mean()], abs=1e-5)


def test_audio_that_fills_no_window_is_repeated(tmp_path: Path) -> None:
    file = file_of(brightness(tmp_path / "net.onnx", shape=(1, 3 * RATE_HZ)))
    twice = np.concatenate([NOISE, NOISE, NOISE])
    assert np.array_equal(heard(file, NOISE), heard(file, twice))


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ("net.onnx", "must be a dictionary"),
        ({"My Model": "net.onnx"}, "becomes part of a metric's name"),
        ({"x": 3}, "must be a path"),
        ({"x": {"kind": "mos"}}, "path"),
        ({"x": {"path": "a", "kind": "opinion"}}, "opinion"),
        ({"x": {"path": "a", "rate_hz": 0}}, "at least 4000"),
        ({"x": {"path": "a", "rate_hz": 16000.5}}, "16000.5"),
        ({"x": {"path": "a", "speed": 1}}, "speed"),
        ({"x": {"path": "a", "kind": "embedding", "index": 0}}, "read whole"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(models: Any, reason: str) -> None:
    with pytest.raises(HarnessError, match=reason):
        model_entries(models)


def test_what_is_no_file_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HarnessError, match="does not exist"):
        file_of(tmp_path / "absent.onnx")
    with pytest.raises(HarnessError, match="is no file"):
        file_of(tmp_path)
    path = brightness(tmp_path / "net.onnx")
    monkeypatch.setattr(own_model, "LARGEST_BYTES", 100)
    with pytest.raises(HarnessError, match="more than an ONNX file can have"):
        file_of(path)


def test_a_run_names_the_content_and_finds_it_wherever_it_lies(tmp_path: Path) -> None:
    path = brightness(tmp_path / "net.onnx")
    (record,) = records_of(model_entries({"mine": path})).values()
    assert str(tmp_path) not in repr(record)
    found = locate("mine", record)
    assert isinstance(found, ModelFile)
    assert found.path == path
    moved = path.rename(tmp_path / "moved.onnx")
    assert isinstance(locate("mine", record), Missing)
    records_of(model_entries({"other": moved}))
    found = locate("mine", record)
    assert isinstance(found, ModelFile)
    assert found.path == moved


def test_another_file_in_its_place_is_not_believed(tmp_path: Path) -> None:
    path = brightness(tmp_path / "net.onnx")
    file = file_of(path)
    saved(path, WRONG_NODES)
    gone = locate("mine", file.model)
    assert isinstance(gone, Missing)
    assert gone.kind is MissingKind.NOT_INSTALLED
    with pytest.raises(HarnessError, match="another file than"):
        open_network(file)


def test_a_digest_that_nobody_named_here_opens_nothing() -> None:
    stranger = OwnModel(sha256="0" * 64, kind=ModelKind.MOS, rate_hz=16_000)
    gone = locate("mine", stranger)
    assert isinstance(gone, Missing)
    assert gone.kind is MissingKind.NOT_INSTALLED


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _nodes() -> list[Any]:
    from onnx import helper

    return [helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)]


WRONG_NODES = _nodes()

"""
voxgate.engine.audio.watermark: Perth's mark by our own net, held against the package's code, and
refusals that say what to install.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.engine.audio import perth_package
from tests.harness.metrics.speech import PATH, RATE_HZ, speech
from voxgate.engine.audio import watermark
from voxgate.engine.audio.watermark import PerthMark, layers, load_mark, load_marker
from voxgate.engine.config import Watermark
from voxgate.engine.errors import EngineError
from voxgate.harness.audio.recording import Recording
from voxgate.harness.models import perth

CPU = torch.device("cpu")
needs_perth = pytest.mark.skipif(
    importlib.util.find_spec("perth") is None,
    reason="resemble-perth is not installed: pip install --no-deps resemble-perth==1.0.1",
)


def _speech():
    return speech().astype(np.float32)


@needs_perth
def test_the_mark_and_the_detector_are_the_packages(tmp_path):
    out = tmp_path / "marked.wav"
    done = subprocess.run(
        [sys.executable, perth_package.__file__, PATH, out],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs, rate_hz = soundfile.read(out, dtype="float32")
    ours = load_mark(Watermark.PERTH, RATE_HZ, CPU)(_speech())

    assert rate_hz == RATE_HZ
    assert np.abs(theirs - ours[: theirs.size]).max() < 1e-5
    confidences = json.loads(done.stdout.splitlines()[-1])
    for audio, confidence in zip((_speech(), theirs), confidences, strict=True):
        assert perth.confidence(Recording(audio, RATE_HZ)) == pytest.approx(confidence, abs=1e-4)
    assert confidences[0] < 0.01 < 0.99 < confidences[1]


@needs_perth
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 32_000, 48_000])
def test_marked_audio_is_as_long_and_is_found_at_any_rate(rate_hz):
    audio = np.asarray(Recording(speech(), RATE_HZ).at(rate_hz), dtype=np.float32)
    marked = load_mark(Watermark.PERTH, rate_hz, CPU)(audio)

    assert (marked.shape, marked.dtype) == (audio.shape, np.float32)
    assert perth.confidence(Recording(marked, rate_hz)) > 0.9
    assert perth.confidence(Recording(audio, rate_hz)) < 0.1


@needs_perth
@pytest.mark.parametrize("samples", [0, 1, 100, 1024, 1025])
def test_short_audio_and_silence_pass(samples):
    mark = load_mark(Watermark.PERTH, RATE_HZ, CPU)

    assert mark(_speech()[20_000 : 20_000 + samples]).shape == (samples,)
    assert np.abs(mark(np.zeros(samples, np.float32))).max(initial=0.0) < 1e-6


def test_off_is_no_mark():
    assert load_mark(Watermark.OFF, RATE_HZ, CPU) is None


def test_without_the_package_the_refusal_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EngineError, match=r"resemble-perth, which is not installed; run `pip inst"):
        load_mark(Watermark.PERTH, RATE_HZ, CPU)


def _stored(path: Path, **changes: object) -> Path:
    """Write a checkpoint of random weights in Perth's layout, with some tensors changed."""
    tensors = {
        f"encoder.layers.{name.replace('.0.', '.conv.', 1)}": value
        for name, value in layers(watermark.BANDS, watermark.BANDS).state_dict().items()
    }
    tensors["decoder.normal_layers.0.conv.bias"] = torch.zeros(3)  # the other half is not ours
    for name, value in changes.items():
        key = f"encoder.layers.{name}.conv.bias"
        if value is None:
            del tensors[key]
        else:
            tensors[key] = value
    torch.save({"model": tensors, "step": 1}, path)
    return path


def test_a_checkpoint_of_the_layout_loads(tmp_path):
    marker = load_marker(_stored(tmp_path / "p.pth"))

    assert sum(weight.numel() for weight in marker.parameters()) == 2_360_960
    assert PerthMark(marker, RATE_HZ)(_speech()).shape == _speech().shape


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"3": None}, r"lacks tensor 3\.0\.bias"),
        ({"9": torch.zeros(4)}, r"holds an unknown tensor 9\.0\.bias"),
        ({"3": torch.zeros(4)}, r"holds 3\.0\.bias of the encoder as \[4\], not \[256\]"),
    ],
)
def test_another_checkpoint_is_refused_by_the_name_of_its_tensor(tmp_path, changes, words):
    with pytest.raises(EngineError, match=words):
        load_marker(_stored(tmp_path / "p.pth", **changes))


class Payload:
    """Code in a checkpoint, which must not run."""

    def __reduce__(self):
        return (print, ("run by a checkpoint",))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint_is_refused_and_not_run(tmp_path, capsys, content):
    path = tmp_path / "p.pth"
    if content is None:
        torch.save({"model": Payload()}, path)
    else:
        path.write_bytes(content)

    with pytest.raises(EngineError, match=r"no checkpoint of Perth; install resemble-perth"):
        load_marker(path)
    assert capsys.readouterr().out == ""

"""The audio that a page plays."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.harness.fake_runs import good_run, with_audio
from voxgate.harness.audio.files import clip_loader, write_flac
from voxgate.harness.errors import HarnessError


def test_a_cells_clip_is_16_bit_wav_which_browsers_can_seek_in(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    data = clip_loader(run, tmp_path, "golden")("nfe-32", "u03") or b""
    info = soundfile.info(io.BytesIO(data))
    frames, rate_hz = soundfile.read(io.BytesIO(data))
    assert (info.format, info.subtype, rate_hz) == ("WAV", "PCM_16", 16_000)
    np.testing.assert_allclose(frames, 0.02, atol=1e-4)


def test_golden_audio_is_asked_for_by_its_name(tmp_path: Path) -> None:
    write_flac(tmp_path / "u01.flac", np.full(800, 0.5, dtype=np.float32), 16_000)
    data = clip_loader(good_run(tmp_path / "run"), tmp_path, "golden")("golden", "u01")
    assert data is not None
    np.testing.assert_allclose(soundfile.read(io.BytesIO(data))[0], 0.5, atol=1e-4)


def test_audio_that_is_gone_or_broken_is_none(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "run/audio/nfe-32/u01.wav").write_bytes(b"no audio")
    load = clip_loader(run, tmp_path, "golden")
    assert [
        load("nfe-32", "u01"),
        load("nfe-8", "u01"),
        load("nfe-32", "u99"),
        load("golden", "u01"),
    ] == [None] * 4


def test_no_clip_comes_from_outside_the_folders(tmp_path: Path) -> None:
    write_flac(tmp_path / "secret.flac", np.full(800, 0.5, dtype=np.float32), 16_000)
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden/u02.flac").symlink_to(tmp_path / "secret.flac")
    load = clip_loader(run, tmp_path / "golden", "golden")
    assert [
        load("golden", "../secret"),
        load("golden", str(tmp_path / "secret")),
        load("golden", "u02"),
    ] == [None] * 3


def test_a_run_whose_audio_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "run/audio/nfe-32/u01.wav").unlink()
    (tmp_path / "run/audio/nfe-32/u01.wav").symlink_to("/etc/passwd")
    with pytest.raises(HarnessError, match=r"'audio/nfe-32/u01.wav' does not lie below"):
        clip_loader(run, tmp_path, "golden")

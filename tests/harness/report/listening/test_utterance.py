"""An utterance made ready: sounds on the assets once each, sameness, levels."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.harness.report.listening.making import RATE_HZ, rising
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.assets import AssetFolder
from voxgate.harness.report.listening.utterance import (
    UtteranceVoices,
    compressed,
    encoded,
    utterance,
)
from voxgate.harness.runner.recordings import KeptAudio, Take

REQUEST = Request(id="u01", text="One.")


def take(when: str, frames: np.ndarray | None, cell: str = "nfe-32") -> Take:
    sound = (
        Missing("it is gone")
        if frames is None
        else KeptAudio(frames=np.asarray(frames, dtype=np.float32), rate_hz=RATE_HZ)
    )
    return Take(when=when, cell=cell, sound=sound)  # type: ignore[arg-type]


def made(tmp_path: Path, *takes: Take) -> UtteranceVoices:
    return utterance(REQUEST, takes, AssetFolder(tmp_path))


def test_shelf_file_is_one_call_with_the_bytes_under_their_hash(tmp_path: Path) -> None:
    name = AssetFolder(tmp_path).put(b"some sound")

    text = (tmp_path / "audio" / f"{name}.js").read_text()
    match = re.fullmatch(r'voxgate\("([0-9a-f]{16})","([A-Za-z0-9+/=]+)"\);\n', text)
    assert match is not None
    assert match[1] == name
    assert base64.b64decode(match[2]) == b"some sound"


def test_torn_file_is_written_again(tmp_path: Path) -> None:
    name = AssetFolder(tmp_path).put(b"some sound")
    path = tmp_path / "audio" / f"{name}.js"
    whole = path.read_text()
    path.write_text(whole[:-5])

    AssetFolder(tmp_path).put(b"some sound")

    assert path.read_text() == whole


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("a file where the folder belongs")

    with pytest.raises(HarnessError, match=r"cannot write .*audio.*; choose another --out"):
        AssetFolder(tmp_path).put(b"x")


def test_same_audio_lies_there_once_though_golden_was_rounded(tmp_path: Path) -> None:
    voice = rising(500.0)
    rounded = np.round(voice * (2**23 - 1)) / 2**23

    found = made(
        tmp_path,
        take("golden", rounded),
        take("current", voice),
        take("current", rising(600.0), "nfe-8"),
    )

    assert [voice.same_as for voice in found.voices] == [None, 0, None]
    assert found.voices[0].clip == found.voices[1].clip != found.voices[2].clip
    assert len(list((tmp_path / "audio").iterdir())) == 2
    assert found.same(0, 1)
    assert not found.same(1, 2)


def test_smallest_step_of_16_bits_is_a_difference(tmp_path: Path) -> None:
    changed = rising(500.0)
    changed[100] += 2.0**-15

    found = made(tmp_path, take("golden", rising(500.0)), take("current", changed))

    assert found.voices[1].same_as is None


def test_missing_take_keeps_its_reason_and_its_place(tmp_path: Path) -> None:
    found = made(
        tmp_path, take("golden", None), take("previous", rising(500.0)), take("current", None)
    )

    assert [voice.missing for voice in found.voices] == ["it is gone", "", "it is gone"]
    assert found.voices[0].clip == ""
    assert found.find("golden", "nfe-32") is None
    assert found.find("previous", "nfe-32") == 1
    assert not found.same(0, 1)


def test_utterance_without_any_take_has_no_duration(tmp_path: Path) -> None:
    assert made(tmp_path, take("golden", None)).duration_s == 0.0


def test_clip_is_what_was_kept_to_16_bits() -> None:
    frames, rate_hz = soundfile.read(
        io.BytesIO(encoded(KeptAudio(frames=rising(500.0), rate_hz=RATE_HZ))), dtype="float32"
    )

    assert rate_hz == RATE_HZ
    assert np.abs(frames - rising(500.0)).max() < 2.0**-15


def test_takes_are_turned_to_the_level_of_the_first(tmp_path: Path) -> None:
    found = made(tmp_path, take("golden", rising(500.0)), take("current", rising(500.0, level=0.1)))

    assert [voice.gain.gain_db for voice in found.voices] == pytest.approx([0.0, 6.02], abs=0.01)


@pytest.mark.parametrize(
    ("rate_hz", "kind"),
    [(1000, "FLAC"), (65_535, "FLAC"), (65_537, "WAV"), (192_000, "FLAC"), (768_000, "WAV")],
)
def test_a_sound_of_any_rate_that_a_file_may_have_is_encoded(rate_hz: int, kind: str) -> None:
    data = encoded(KeptAudio(frames=np.full(300, 0.5, dtype=np.float32), rate_hz=rate_hz))

    info = soundfile.info(io.BytesIO(data))
    assert (info.format, info.subtype, info.samplerate) == (kind, "PCM_16", rate_hz)


@pytest.mark.parametrize(("rate_hz", "coded_hz"), [(16_000, 16_000), (22_050, 24_000)])
def test_a_compressed_sound_is_as_long_and_not_moved(rate_hz: int, coded_hz: int) -> None:
    frames = np.random.default_rng(0).normal(0, 0.1, rate_hz // 2).astype(np.float32)
    frames[:4000] = 0.0
    data = compressed(KeptAudio(frames=frames, rate_hz=rate_hz))

    found, found_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (found_hz, soundfile.info(io.BytesIO(data)).subtype) == (coded_hz, "OPUS")
    assert len(found) / found_hz == pytest.approx(0.5, abs=0.001)
    begins_s = np.flatnonzero(np.abs(found) > 0.1)[0] / found_hz
    assert begins_s == pytest.approx(4000 / rate_hz, abs=0.005)
    assert len(data) < len(encoded(KeptAudio(frames=frames, rate_hz=rate_hz))) / 2


def test_without_opus_a_sound_is_left_lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda kind: {"VORBIS": "Vorbis"})
    sound = KeptAudio(frames=rising(500.0, seconds=0.1), rate_hz=RATE_HZ)

    assert compressed(sound) == encoded(sound)

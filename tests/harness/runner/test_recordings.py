"""Which takes of an utterance there are, and why others are not."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness.fake_runs import good_run, with_audio
from tests.harness.report.listening.making import RATE_HZ, requests, rising, two_runs, write_run
from voxgate.harness.audio.files import write_flac, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import golden_dir
from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner.recordings import (
    KeptAudio,
    Recordings,
    open_recordings,
    recordings_of,
    takes,
)


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    heard = two_runs(tmp_path)
    return open_recordings(
        tmp_path / "runs/0002", tmp_path / "runs/0001", golden_dir(heard.baselines, "smoke")
    )


def reasons(recordings: Recordings, request: str = "u01") -> dict[tuple[str, str], str]:
    return {
        (t.when, t.cell): t.sound.reason
        for t in takes(recordings, request)
        if isinstance(t.sound, Missing)
    }


def test_golden_comes_first_then_previous_and_current_of_each_cell_the_reference_first(
    recordings: Recordings,
) -> None:
    found = [(take.when, take.cell) for take in takes(recordings, "u01")]

    assert found == [
        ("golden", "nfe-32"),
        ("previous", "nfe-32"),
        ("current", "nfe-32"),
        ("previous", "nfe-8"),
        ("current", "nfe-8"),
    ]
    assert reasons(recordings) == {}


def test_sound_is_given_as_it_was_kept(recordings: Recordings) -> None:
    sound = takes(recordings, "u01")[2].sound

    assert isinstance(sound, KeptAudio)
    assert (sound.rate_hz, sound.duration_s) == (RATE_HZ, 3.0)
    assert np.array_equal(sound.frames, rising(2700.0))


def test_first_run_has_no_previous_takes(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs/0001", {32: lambda request: rising(500.0)})

    found = takes(open_recordings(folder, None, tmp_path / "golden"), "u01")

    assert [take.when for take in found] == ["golden", "current"]
    assert found[0].sound == Missing("no golden audio of this utterance is accepted")


def test_file_that_vanished_is_missing_and_so_is_one_that_cannot_be_played(
    recordings: Recordings, tmp_path: Path
) -> None:
    audio = tmp_path / "runs/0002/audio"
    (audio / "nfe-8/u01.wav").unlink()
    write_wav(audio / "nfe-32/u01.wav", np.array([0.1, np.nan], dtype=np.float32), RATE_HZ)

    found = reasons(recordings)

    assert found["current", "nfe-8"] == "no audio of this utterance was kept"
    assert found["current", "nfe-32"] == "the audio holds NaN or infinity"


@pytest.mark.parametrize(
    ("data", "words"), [(b"no sound", "cannot read audio"), (b"", "cannot read audio")]
)
def test_broken_file_is_missing_and_named(
    recordings: Recordings, tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "runs/0002/audio/nfe-8/u01.wav").write_bytes(data)

    assert words in reasons(recordings)["current", "nfe-8"]
    assert "u01.wav" in reasons(recordings)["current", "nfe-8"]


def test_previous_run_that_was_asked_for_another_text_is_no_previous_take(tmp_path: Path) -> None:
    voices = {32: lambda request: rising(500.0)}
    old = write_run(tmp_path / "1", voices, asked=requests(text="Something else."))
    new = write_run(tmp_path / "2", voices)

    found = reasons(open_recordings(new, old, tmp_path))

    assert (
        found["previous", "nfe-32"] == "the previous run asked for something else under this name"
    )


def test_cell_that_the_previous_run_had_not_says_so(tmp_path: Path) -> None:
    old = write_run(tmp_path / "1", {32: lambda request: rising(500.0)})
    new = write_run(
        tmp_path / "2", {32: lambda request: rising(500.0), 8: lambda request: rising(600.0)}
    )

    assert (
        reasons(open_recordings(new, old, tmp_path))["previous", "nfe-8"]
        == "the previous run had no such cell"
    )


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="is no run folder"):
        open_recordings(tmp_path, None, tmp_path)


def test_golden_audio_is_taken_by_the_name_of_the_request(tmp_path: Path) -> None:
    write_flac(tmp_path / "u01.flac", np.full(800, 0.5, dtype=np.float32), RATE_HZ)
    golden = takes(recordings_of(good_run(tmp_path / "run"), tmp_path), "u01")[0].sound

    assert isinstance(golden, KeptAudio)
    np.testing.assert_allclose(golden.frames, 0.5, atol=1e-4)


def test_audio_of_a_run_that_is_gone_or_broken_is_missing(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "run/audio/nfe-32/u01.wav").write_bytes(b"no audio")
    of = recordings_of(run, tmp_path)

    assert [take.when for take in takes(of, "u01")] == ["golden", "current", "current"]
    for request in ("u01", "u99"):
        assert all(isinstance(take.sound, Missing) for take in takes(of, request))


def test_no_take_comes_from_outside_the_folders(tmp_path: Path) -> None:
    write_flac(tmp_path / "secret.flac", np.full(800, 0.5, dtype=np.float32), RATE_HZ)
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden/u02.flac").symlink_to(tmp_path / "secret.flac")
    of = recordings_of(run, tmp_path / "golden")

    for request in ("../secret", str(tmp_path / "secret"), "u02"):
        assert isinstance(takes(of, request)[0].sound, Missing)


def test_a_run_whose_audio_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    (tmp_path / "run/audio/nfe-32/u01.wav").unlink()
    (tmp_path / "run/audio/nfe-32/u01.wav").symlink_to("/etc/passwd")

    with pytest.raises(HarnessError, match=r"'audio/nfe-32/u01.wav' does not lie below"):
        recordings_of(run, tmp_path)

"""
Check that the audio of a run folder is the audio that was measured, before it is scored, accepted
or shown.

An iteration records the SHA-256 of its samples, a request that of its source's file; a recording
that was exchanged since has another.
Deleted audio is no error: a folder without its audio can still be judged by its kept scores.
"""

import hashlib
from pathlib import Path

import soundfile

from voxgate.harness.audio.files import read_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import file_sha256, inside
from voxgate.harness.records.run import Run

MOST_FRAMES = 2**28
"""
Of all channels: an hour and a half at 48 kHz. A compressed file of a few kilobytes can promise any
number.
"""
LENGTH_SLACK_S = 0.01


def check_audio(run: Run) -> None:
    """Raise HarnessError naming the first recording that differs from its recorded digest."""
    for cell in run.cells:
        for request in cell.workload.requests:
            if request.source is not None:
                _check_source(inside(Path(run.folder), request.source.path), request.source.sha256)
    for process in run.processes:
        for iteration in process.iterations:
            if iteration.audio_file is not None:
                path = Path(run.folder) / iteration.audio_file
                _check(path, iteration.audio_s, iteration.audio_sha256)
            if iteration.marked_file is not None:
                path = Path(run.folder) / iteration.marked_file
                _check(path, iteration.audio_s, iteration.marked_sha256)


def _check_source(path: Path, sha256: str) -> None:
    if path.is_file() and file_sha256(path) != sha256:
        raise HarnessError(
            f"the SHA-256 of {path} is another than its request's, so it is not the source that "
            "was converted; measure again, or remove the file"
        )


def _check(path: Path, audio_s: float, sha256: str | None) -> None:
    if not path.is_file():
        return
    again = "which is not the audio that was measured; measure again, or remove the file"
    try:
        about = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(f"cannot read audio {path}, {again}") from error
    if about.channels != 1 or about.frames > MOST_FRAMES:
        raise HarnessError(
            f"{path} has {about.channels} channels and {about.frames} frames, {again}"
        )
    if abs(about.frames / about.samplerate - audio_s) > LENGTH_SLACK_S:
        raise HarnessError(
            f"{path} lasts {about.frames / about.samplerate:.3f} s, not {audio_s:.3f} s, {again}"
        )
    samples, _ = read_audio(path)
    if hashlib.sha256(samples.tobytes()).hexdigest() != sha256:
        raise HarnessError(f"the SHA-256 of {path} is another than its sample's, {again}")

"""
The audio of a run, and the golden audio, as small WAV files in memory: what a page plays.

WAV, though FLAC is a third smaller: Chromium fails one seek in twenty in a short FLAC clip ("demuxer seek failed"), and a
page that keeps the position when the voice is switched seeks all the time. In WAV no seek failed.

Knows where both are kept; scores nothing, and renders nothing.
"""

import io
from collections.abc import Callable
from pathlib import Path

import soundfile

from harness.audio.files import read_audio
from harness.errors import HarnessError
from harness.records.files import inside
from harness.records.run import Run


def clip_loader(run: Run, golden: Path, golden_name: str) -> Callable[[str, str], bytes | None]:
    """
    Give a function (slug, request id) -> a WAV file's bytes; `golden_name` in place of a slug stands for the accepted audio.

    It gives None where there is no readable audio: a page without a voice is still a page.
    """
    files = audio_files(run)

    def load(slug: str, request: str) -> bytes | None:
        try:
            path = inside(golden, f"{request}.flac") if slug == golden_name else files.get((slug, request))
        except HarnessError:
            return None
        return None if path is None or not path.is_file() else _wav(path)

    return load


def audio_files(run: Run) -> dict[tuple[str, str], Path]:
    """
    Name the files of a run's audio, (slug, request id) -> path: of the first process that kept any. They may be gone.

    Raises HarnessError for one that does not lie in the run's folder.
    """
    files: dict[tuple[str, str], Path] = {}
    for process in run.processes:
        for sample in process.samples:
            if sample.audio_file is not None:
                files.setdefault((sample.cell, sample.request), inside(Path(run.folder), sample.audio_file))
    return files


def _wav(path: Path) -> bytes | None:
    """Encode a file as 16-bit WAV, which every browser plays; frames beyond -1..1 are clipped."""
    try:
        frames, rate_hz = read_audio(path)
    except HarnessError:
        return None
    out = io.BytesIO()
    soundfile.write(out, frames, rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()

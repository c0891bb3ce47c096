"""
Debian's flite: as a target, and as the speaker of source recordings.

It made the embedded voice's training audio, so it is the voice's teacher.

Its own word error rate is the floor under the voice's: no student is clearer than its teacher.
Needs the program `flite`.
"""

import contextlib
import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from voxgate.harness.audio.files import Audio, read_audio, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import ENGLISH, Cell, Option, Request, Workload, primary_language
from voxgate.harness.targets.protocol import Options, StageWatch, Target

VOICES = ("slt", "rms", "awb")
STRETCH = 1.15
"""flite's pace for the floor: the embedded voice's own default."""


class FliteTarget(Target):
    """One call of the flite program per request."""

    sample_rate_hz = 16_000

    @classmethod
    def check_options(cls, pipeline: str, options: Options) -> None:
        """Accept pipeline `flite` with options `speaker` and `stretch` only."""
        unknown = sorted(set(options) - {"speaker", "stretch", "device", "threads"})
        if pipeline != "flite" or unknown:
            raise HarnessError(
                f"target flite has pipeline flite and options speaker, stretch; not {pipeline!r} "
                f"{unknown}"
            )
        if options.get("speaker", VOICES[0]) not in VOICES:
            raise HarnessError(
                f"target flite has speakers {', '.join(VOICES)}, not {options['speaker']!r}"
            )

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Find the program. Raises HarnessError when it is not installed."""
        self.check_options(cell.pipeline, cell.options)
        if not shutil.which("flite"):
            raise HarnessError(
                "target flite needs the program flite; install it (apt-get install flite)"
            )
        self.options: dict[str, Option] = {"speaker": VOICES[0], "stretch": STRETCH, **cell.options}

    def effective(self) -> Mapping[str, Option]:
        """Return the options."""
        return self.options

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Synthesise one request in a child process."""
        voice = request.options.get("speaker", self.options["speaker"])
        stretch = float(self.options["stretch"])
        with watch("synthesis"):
            try:
                audio, _ = speak(str(voice), request.text, stretch)
            except HarnessError as error:
                raise HarnessError(f"request {request.id}: {error}") from None
        yield audio


def speak(voice: str, text: str, stretch: float | None = None) -> tuple[Audio, int]:
    """
    Return a text as flite speaks it, and its rate in Hz; the same each time. Raises HarnessError.

    flite speaks with another voice where it does not know one: ask `flite_voices` before.
    """
    pace = [] if stretch is None else ["--setf", f"duration_stretch={stretch}"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "spoken.wav"
        command = ["flite", "-voice", voice, *pace, "-t", text, "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not out.exists():
            raise HarnessError(f"flite ended with {done.returncode}: {done.stderr.strip()[:200]}")
        return read_audio(out)


@functools.cache
def flite_voices() -> tuple[str, ...]:
    """Return the names of flite's voices; none where it is not installed."""
    if not shutil.which("flite"):
        return ()
    done = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=False)
    _, _, named = done.stdout.partition(":")
    return tuple(named.split())


def synthesise_workload(workload: Workload, folder: Path) -> dict[str, Path]:
    """Synthesise every request by flite, with the voice of the request."""
    foreign = [
        request.id for request in workload.requests if primary_language(request.language) != ENGLISH
    ]
    if foreign:
        raise HarnessError(
            f"flite speaks English only, and {foreign[0]} is not English; give --recordings FOLDER"
        )
    target, files = FliteTarget(), {}
    target.load(
        Cell(suite="floor", target="flite", pipeline="flite", workload=workload, axes={}), {}
    )
    for request in workload.requests:
        chunks = list(target.synthesize(request, lambda stage: contextlib.nullcontext()))
        files[request.id] = folder / f"{request.id}.wav"
        write_wav(files[request.id], np.concatenate(chunks), target.sample_rate_hz)
    return files


def version_and_voices(workload: Workload) -> str:
    """Name flite, its version, and the voices of a workload."""
    voices: Sequence[str] = sorted(
        {str(request.options.get("speaker", "slt")) for request in workload.requests}
    )
    done = subprocess.run(["flite", "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"flite-([\d.]*\d)", done.stdout + done.stderr)
    return f"flite {number[1] if number else '(unknown version)'} ({', '.join(voices)})"

"""
Writes the recordings of the voices that workloads name: `python tests/harness/make_voices.py` (needs Debian's flite).

The embedded voice learned from flite, so flite is the speaker that it should sound like. The text stands in no workload
and not among the training texts: a likeness must come from the voice and not from the words.
"""

import subprocess
import tempfile
from pathlib import Path

from harness.audio_io import read_audio, write_flac

FOLDER = Path(__file__).parents[2] / "harness" / "workloads" / "voices"
SPEAKERS = ("slt", "rms", "awb")
TEXT = (
    "Every autumn the geese fly over our valley on their way to the south. "
    "We hear them long before we see them, and the whole village goes outside to watch."
)


def make_voice(speaker: str) -> None:
    """Let one speaker read TEXT into its flac file."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        subprocess.run(["flite", "-voice", speaker, "-t", TEXT, "-o", str(spoken)], check=True)
        write_flac(FOLDER / f"{speaker}.flac", *read_audio(spoken))


if __name__ == "__main__":
    for each in SPEAKERS:
        make_voice(each)

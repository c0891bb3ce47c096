"""
Writes the recordings of the voices that workloads name: `python -m tests.harness.make_voices`
(needs Debian's flite).

The embedded voice learned from flite, so flite is the speaker that it should sound like. The text
stands in no workload and not among the training texts: a likeness must come from the voice and not
from the words. Beside every recording lies what it says, so that it can be an engine's reference,
and of one there are cuts: its last words, of several lengths.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from voxgate.engine.alphabet import PHONES, SILENCE
from voxgate.engine.text.frontend import phonemise
from voxgate.harness.audio.files import Audio, read_audio, write_flac

FOLDER = Path(__file__).parents[2] / "harness" / "workloads" / "voices"
SPEAKERS = ("slt", "rms", "awb")
TEXT = (
    "Every autumn the geese fly over our valley on their way to the south. "
    "We hear them long before we see them, and the whole village goes outside to watch."
)


CUT, CUTS_S = "slt", (1, 2, 4, 8)


def make_voice(speaker: str) -> None:
    """Let one speaker read TEXT into its flac file."""
    audio, rate_hz, phones = spoken(speaker, TEXT)
    _write(speaker, audio, rate_hz, TEXT)
    if speaker != CUT:
        return
    for seconds in CUTS_S:
        text, start_s = ending(TEXT, phones, seconds)
        _write(f"{speaker}-{seconds}s", audio[round(start_s * rate_hz) :], rate_hz, text)


def spoken(speaker: str, text: str, *settings: str) -> tuple[Audio, int, list[tuple[str, float]]]:
    """Let flite speak; gives audio, rate, and every phone with the second at which it ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        options = [word for setting in settings for word in ("--setf", setting)]
        command = ["flite", "-voice", speaker, *options, "-psdur", "-t", text, "-o", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        phones = [(name, float(end)) for name, end in re.findall(r"(\w+):([0-9.]+)", said)]
        return *read_audio(path), phones


def ending(text: str, phones: list[tuple[str, float]], seconds: float) -> tuple[str, float]:
    """
    Find the last words that take about so long: the words, and the second at which they begin.
    """
    sounding = [
        (name, phones[at - 1][1] if at else 0.0)
        for at, (name, _) in enumerate(phones)
        if name != SILENCE
    ]
    words, end_s = text.split(), phones[-1][1]
    starts = [sounding[-len(_phones(" ".join(words[at:]))) :] for at in range(len(words))]
    for at, tail in enumerate(starts):
        assert [name for name, _ in tail] == _phones(" ".join(words[at:])), (
            f"flite says {words[at:]} in other phones"
        )
    best = min(range(len(words)), key=lambda at: abs(end_s - starts[at][0][1] - seconds))
    return " ".join((words[best].capitalize(), *words[best + 1 :])), starts[best][0][1]


def _phones(text: str) -> list[str]:
    names = [PHONES[phone] for chunk in phonemise(text) for phone in chunk.phones]
    return [name for name in names if name != SILENCE]


def _write(name: str, audio: Audio, rate_hz: int, text: str) -> None:
    write_flac(FOLDER / f"{name}.flac", audio, rate_hz)
    (FOLDER / f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    for each in SPEAKERS:
        make_voice(each)

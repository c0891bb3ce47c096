"""
The recording that is to be converted: any rate and channels to mono at 16 kHz, with strict limits.

Nothing is trimmed and the level stays, so that the converted audio lies on the same time axis.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import soxr

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.reference_recording import RATES_HZ, RecordingKind, decode, read_file
from voxgate.engine.config.conversion import LONGEST_SOURCE_S
from voxgate.engine.errors import EngineError

SHORTEST_SOURCE_S = 0.2
SILENT_PEAK = 1e-4
"""-80 dBFS: below the noise of any microphone, and above dither of 16 bits."""
LOUDEST_PEAK = 1e3
"""Beyond, float samples are no audio in full scale 1, and their squares overflow nothing yet."""
SOURCE = RecordingKind(
    noun="source",
    max_bytes=512 * 2**20,
    max_file_s=LONGEST_SOURCE_S,
    bytes_advice=f"{LONGEST_SOURCE_S / 60:.0f} minutes of mono have less than 120 MB, and some",
    length_advice=f"convert at most {LONGEST_SOURCE_S:.0f} s at a time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A recording: `audio` float32 (T,) at 16 kHz, and the `digest` of these samples."""

    audio: np.ndarray
    digest: str

    @property
    def seconds(self) -> float:
        """The length."""
        return float(self.audio.size / SAMPLE_RATE_HZ)


def load_source(path: str) -> Source:
    """
    Load the recording of the option `source`.

    Raises: EngineError for none, and for a file that is missing, no audio, torn, silent, too short
    or too long, or that holds NaN.
    """
    if not path:
        raise EngineError(
            "no source: a conversion needs the option source, the path of the recording to convert"
        )
    try:
        return source_of(*decode(read_file(path, SOURCE), SOURCE))
    except EngineError as error:
        raise EngineError(_named(str(error), path)) from None


def source_of(audio: np.ndarray, rate_hz: int) -> Source:
    """
    Check samples and resample them.

    Args:
        audio: (T,) or (T, channels), floating point in -1..1.
        rate_hz: its sample rate.

    Raises: EngineError as `load_source`.
    """
    mono = _mono(audio, rate_hz)
    seconds = mono.size / rate_hz
    if not SHORTEST_SOURCE_S <= seconds <= LONGEST_SOURCE_S:
        raise EngineError(
            f"source: the recording lasts {seconds:.3g} s; give {SHORTEST_SOURCE_S} to "
            f"{LONGEST_SOURCE_S:.0f} s"
        )
    if not np.isfinite(mono).all():
        raise EngineError("source: the recording holds NaN or infinity; export it again")
    peak = float(np.abs(mono).max())
    if peak < SILENT_PEAK:
        raise EngineError(
            f"source: the recording is silent (its peak is {peak:.1g}); there is nothing to convert"
        )
    if peak > LOUDEST_PEAK:
        raise EngineError(
            f"source: the recording has a peak of {peak:.3g} where full scale is 1; export it again"
        )
    if rate_hz != SAMPLE_RATE_HZ:
        mono = np.asarray(soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)
    contiguous = np.ascontiguousarray(mono)
    return Source(audio=contiguous, digest=hashlib.sha256(contiguous.data).hexdigest())


def _mono(audio: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the mean of the channels, float32 (T,)."""
    low, high = RATES_HZ
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or not low <= rate_hz <= high:
        raise EngineError(
            f"source: the sample rate is a whole number from {low} to {high} Hz, not {rate_hz!r}"
        )
    if audio.ndim not in (1, 2) or not np.issubdtype(audio.dtype, np.floating):
        raise EngineError(
            f"source: the samples are {audio.dtype} of shape {audio.shape}; give floating-point "
            "numbers (T,) or (T, channels)"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mixed = audio if audio.ndim == 1 else audio.mean(axis=1)
        return mixed.astype(np.float32, copy=False)


def _named(message: str, path: str) -> str:
    """Return a message about samples with the path of their file."""
    prefix = f"{SOURCE.noun}: "
    return (
        f"{SOURCE.noun} {path}: {message.removeprefix(prefix)}"
        if (message.startswith(prefix))
        else message
    )

"""
Faults of known size, planted into good audio: pure functions of frames, the same every time.

Knows nothing of files, cells or metrics. Audio is mono float32, shape [n]. What only a synthesis can give (a wrong word,
another speaker) is described here as a change of the request.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.audio_io import Audio
from harness.cell import Request

SPEECH = 0.01
"""Of the peak: what is below, -40 dB, counts as silence."""
SEED = 20261121
OTHER_WORDS = ("window", "orange", "seven", "mother")

Change = Callable[[Audio, int], Audio]
"""(audio, rate in Hz) -> audio with the fault."""
Respeak = Callable[[Request, Sequence[Request]], Request | None]
"""(request, all requests) -> what to say instead; None where that cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault at one strength: a change of the audio, or of what is spoken. `harmless` ones must not be found."""

    name: str
    strength: str
    change: Change | None = None
    respeak: Respeak | None = None
    harmless: bool = False


def click(share: float) -> Change:
    """Add an impulse of one frame, `share` of the peak, in the middle of the speech."""

    def change(audio: Audio, rate_hz: int) -> Audio:
        changed = audio.copy()
        changed[_middle(audio)] += share * np.abs(audio).max()
        return np.clip(changed, -1.0, 1.0)

    return change


def dropout(duration_s: float) -> Change:
    """Silence `duration_s` seconds in the middle of the speech."""

    def change(audio: Audio, rate_hz: int) -> Audio:
        changed, half = audio.copy(), round(duration_s * rate_hz / 2)
        changed[max(0, _middle(audio) - half) : _middle(audio) + half] = 0.0
        return changed

    return change


def cut_tail(duration_s: float) -> Change:
    """End `duration_s` seconds before the last speech ends."""
    return lambda audio, rate_hz: audio[: max(1, _end(audio) - round(duration_s * rate_hz))].copy()


def mute_tail(duration_s: float) -> Change:
    """Swallow the last `duration_s` seconds of the speech; the audio stays as long as it was."""

    def change(audio: Audio, rate_hz: int) -> Audio:
        changed = audio.copy()
        changed[max(0, _end(audio) - round(duration_s * rate_hz)) :] = 0.0
        return changed

    return change


def noise(snr_db: float) -> Change:
    """Add white noise, `snr_db` below the speech."""

    def change(audio: Audio, rate_hz: int) -> Audio:
        level = float(np.sqrt(np.mean(audio.astype(np.float64) ** 2))) * 10.0 ** (-snr_db / 20.0)
        drawn = np.random.default_rng(SEED).standard_normal(len(audio)) * level
        return np.asarray(np.clip(audio + drawn, -1.0, 1.0), dtype=np.float32)

    return change


def rounded(bits: int) -> Change:
    """Round to so many bits, as a file format would."""
    steps = 2.0 ** (bits - 1)
    return lambda audio, rate_hz: np.asarray(np.round(audio * steps) / steps, dtype=np.float32)


def wrong_word(request: Request, requests: Sequence[Request]) -> Request | None:
    """Say another word in place of the longest one."""
    words = re.findall(r"[A-Za-z']+", request.text)
    other = next((word for word in OTHER_WORDS if word not in request.text.lower()), None)
    if not words or other is None:
        return None
    longest = max(words, key=len)
    return replace(request, text=re.sub(rf"\b{re.escape(longest)}\b", other, request.text, count=1))


def other_speaker(request: Request, requests: Sequence[Request]) -> Request | None:
    """Say it with another speaker of the same workload; None where it has only one."""
    speakers = list(dict.fromkeys(str(each.options["speaker"]) for each in requests if "speaker" in each.options))
    own = request.options.get("speaker")
    others = [speaker for speaker in speakers if speaker != own]
    return replace(request, options={**request.options, "speaker": others[0]}) if own is not None and others else None


def _milliseconds(fault: str, make: Callable[[float], Change], several: Sequence[int]) -> list[Fault]:
    return [Fault(name=fault, strength=f"{each} ms", change=make(each / 1000)) for each in several]


FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "click": tuple(Fault(name="click", strength=f"{s:g} of the peak", change=click(s)) for s in (0.1, 0.3, 1.0)),
    "dropout": tuple(_milliseconds("dropout", dropout, (5, 20, 60))),
    "wrong word": (Fault(name="wrong word", strength="the longest", respeak=wrong_word),),
    "cut tail": tuple(_milliseconds("cut tail", cut_tail, (20, 80, 200))),
    "muted tail": tuple(_milliseconds("muted tail", mute_tail, (20, 80, 200))),
    "other speaker": (Fault(name="other speaker", strength="whole", respeak=other_speaker),),
    "noise": tuple(Fault(name="noise", strength=f"{db} dB below", change=noise(db)) for db in (40, 30, 20)),
    "rounding": (Fault(name="rounding", strength="16 bits", change=rounded(16), harmless=True),),
}
"""By kind, the weakest first."""


def _middle(audio: Audio) -> int:
    """Find the frame before which half of the energy lies."""
    energy = np.cumsum(audio.astype(np.float64) ** 2)
    return int(np.searchsorted(energy, energy[-1] / 2.0))


def _end(audio: Audio) -> int:
    """Find the frame after the last one that is speech."""
    return int(np.flatnonzero(np.abs(audio) > SPEECH * np.abs(audio).max())[-1]) + 1

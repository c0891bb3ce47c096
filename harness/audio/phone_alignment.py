"""
Forced alignment of known Spanish phones with a recording: where each one begins and ends.

A hidden Markov model of three states a phone, one diagonal Gaussian each, on mel-cepstra and their
slopes every 5 ms; its parameters are in `spanish_phones.json`, trained by
`tests/studies/spanish_accent.py`. Words may be apart by a pause, or not. A phone by which accents
differ (`spanish_phones.Slot`) may be realised as any of its variants, and an s in a coda may be
absent, so that the model does not judge what it locates.

Level plays no part, and the mean of the cepstra neither, so that a microphone does not either.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity, mel
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing

Frames = NDArray[np.float64]

RATE_HZ = 16_000
HOP_S = 0.005
WIDTH, HOP, BANDS = 400, 80, 26
ORDER = 12
SLOPE = 4
"""Frames on either side of the slope's."""
STATES = 3
"""Of a phone, in order: it lasts 15 ms at least."""
PAUSE = "_"
SYLLABIC = frozenset("aeioujw")
"""Phones before which an s is no coda."""
SKIPPED = -3.0
"""Log probability of a pause between two words, and of an s that is not there."""
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "ll": ("ll", "y", "sh", "zh"),
    "y": ("y", "ll", "sh", "zh"),
    "th": ("th", "s"),
}
"""Phone of the text -> what may be heard in its place."""
MODEL = Path(__file__).with_name("spanish_phones.json")
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneTime:
    """A phone of the text by the indices of its word and in that word, and its place in seconds."""

    phone: str
    word: int
    index: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class PhoneModel:
    """
    The Gaussians of each phone's states: means and variances, both of shape [STATES, features].
    """

    means: Mapping[str, Frames]
    variances: Mapping[str, Frames]

    def score(self, phone: str, frames: Frames) -> Frames:
        """Return the log likelihood of each frame in each state, shape [frames, STATES]."""
        means, variances = self.means[phone], self.variances[phone]
        apart = (frames[:, None, :] - means) ** 2 / variances + np.log(variances)
        return np.asarray(-0.5 * apart.sum(axis=2))


@functools.cache
def phone_model() -> PhoneModel:
    """Load the model that travels with the package."""
    kept = json.loads(MODEL.read_text(encoding="utf-8"))
    means, variances = (
        {phone: np.asarray(rows, dtype=np.float64) for phone, rows in kept[name].items()}
        for name in ("means", "variances")
    )
    return PhoneModel(means=means, variances=variances)


def align_phones(
    recording: Recording, words: Sequence[Sequence[str]], model: PhoneModel | None = None
) -> tuple[PhoneTime, ...] | Missing:
    """
    Return where each phone of each word stands in a recording; an s that is not heard is left out.

    Missing for silence, for less than the shortest that the text may last, and beyond LONGEST_S.
    """
    if recording.duration_s > LONGEST_S:
        return Missing(
            f"{recording.duration_s:.0f} s are too long to align; at most {LONGEST_S:.0f}"
        )
    frames = recording.once(features)
    if isinstance(frames, Missing):
        return frames
    chain = _chain(words)
    if not any(words) or len(frames) < STATES * sum(map(len, words)):
        return Missing(f"{recording.duration_s:.2f} s are too short for the text")
    path = _best_path(_likelihoods(frames, chain, model or phone_model()), chain)
    return _times(path, chain)


def features(recording: Recording) -> Frames | Missing:
    """
    Return ORDER mel-cepstra and the level, less their means over the speech, and the slopes of
    both, every HOP_S; shape [frames, 2 ORDER + 2].
    """
    loud_db = recording.once(activity.loud_level)
    if isinstance(loud_db, Missing):
        return loud_db
    samples = recording.at(RATE_HZ) * 10.0 ** (-loud_db / 20.0)
    power = mel.power_mel(samples - samples.mean(), RATE_HZ, width=WIDTH, hop=HOP, bands=BANDS)
    log_power = np.log(power + 1e-7 * power.max())
    orders = np.arange(1, ORDER + 1)[:, None] * (np.arange(BANDS) + 0.5) * np.pi / BANDS
    cepstra = log_power @ np.cos(orders).T * np.sqrt(2.0 / BANDS)
    level = log_power.mean(axis=1)
    speech = level > np.percentile(level, 95.0) - np.log(10.0) * activity.BELOW_DB / 10.0
    cepstra -= cepstra[speech].mean(axis=0)
    static = np.column_stack([cepstra, np.maximum(level - np.percentile(level, 95.0), -12.0)])
    return np.column_stack([static, _slopes(static)])


def _slopes(static: Frames) -> Frames:
    """Return the regression line's slope over SLOPE frames on either side."""
    weights = np.arange(-SLOPE, SLOPE + 1) / (2.0 * np.sum(np.arange(1, SLOPE + 1) ** 2))
    padded = np.pad(static, ((SLOPE, SLOPE), (0, 0)), mode="edge")
    parts = [weight * padded[at : at + len(static)] for at, weight in enumerate(weights) if weight]
    return np.asarray(10.0 * np.sum(parts, axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """The states of a text in order: whose phone and word, and which may be jumped over."""

    phones: tuple[tuple[str, int, int], ...]
    """(phone, word, index in it) of each unit; a pause has the word -1."""
    optional: NDArray[np.bool_]
    """Whether a unit may be left out, shape [units]."""


def _chain(words: Sequence[Sequence[str]]) -> _Chain:
    units: list[tuple[str, int, int]] = [(PAUSE, -1, 0)]
    for word, phones in enumerate(words):
        units += [(phone, word, index) for index, phone in enumerate(phones)]
        units.append((PAUSE, -1, 0))
    spoken = [phone for phone, _, _ in units]
    optional = [
        phone == PAUSE or (phone == "s" and following not in SYLLABIC)
        for phone, following in zip(spoken, [*spoken[1:], PAUSE], strict=True)
    ]
    return _Chain(phones=tuple(units), optional=np.asarray(optional))


def _likelihoods(frames: Frames, chain: _Chain, model: PhoneModel) -> Frames:
    """Return the log likelihood of each frame in each state, shape [frames, units STATES]."""
    scores: dict[str, Frames] = {}
    for phone in {phone for phone, _, _ in chain.phones}:
        variants = [each for each in VARIANTS.get(phone, (phone,)) if each in model.means]
        scores[phone] = np.max([model.score(each, frames) for each in variants], axis=0)
    return np.concatenate([scores[phone] for phone, _, _ in chain.phones], axis=1)


def _best_path(likely: Frames, chain: _Chain) -> NDArray[np.intp]:
    """Return the state of each frame on the best way through the chain, shape [frames]."""
    count, states = likely.shape
    steps, costs = _steps(chain)
    best = np.full(states, -np.inf)
    best[0], best[STATES] = likely[0, 0], likely[0, STATES] + SKIPPED
    back = np.zeros((count, states), dtype=np.int8)
    ways = np.full((len(steps), states), -np.inf)
    for frame in range(1, count):
        for way, step in enumerate(steps):
            ways[way, step:] = best[: states - step]
        ways += costs
        back[frame] = ways.argmax(axis=0)
        best = ways.max(axis=0) + likely[frame]
    # the last unit is a pause
    state = max((states - 1, states - 1 - STATES), key=lambda at: best[at])
    path = np.zeros(count, dtype=np.intp)
    for frame in range(count - 1, -1, -1):
        path[frame] = state
        state -= steps[back[frame, state]]
    return path


def _steps(chain: _Chain) -> tuple[tuple[int, ...], Frames]:
    """
    Return by how many states each way goes on, and its cost into each state, shape [ways, states].

    A unit is jumped over from the last state before it to the first behind it; so are two.
    """
    steps = (0, 1, STATES + 1, 2 * STATES + 1)
    optional = chain.optional
    costs = np.full((len(steps), len(optional), STATES), -np.inf)
    costs[:2] = 0.0
    costs[2, 2:, 0] = np.where(optional[1:-1], SKIPPED, -np.inf)
    costs[3, 3:, 0] = np.where(optional[1:-2] & optional[2:-1], 2.0 * SKIPPED, -np.inf)
    return steps, costs.reshape(len(steps), -1)


def _times(path: NDArray[np.intp], chain: _Chain) -> tuple[PhoneTime, ...]:
    units = path // STATES
    starts = np.flatnonzero(np.diff(units, prepend=-1))
    ends = np.append(starts[1:], len(units))
    return tuple(
        PhoneTime(
            phone=chain.phones[units[start]][0],
            word=chain.phones[units[start]][1],
            index=chain.phones[units[start]][2],
            start_s=float(start * HOP_S),
            end_s=float(end * HOP_S),
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if chain.phones[units[start]][1] >= 0
    )

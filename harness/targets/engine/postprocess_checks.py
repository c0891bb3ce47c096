"""
Option checks of post-processing: the audio as delivered, against what the vocoder made, processed
as asked and otherwise. An option is in effect where the audio is nearer to its asked value than to
every other; where both would have given the same, there was nothing to do, and nothing is seen.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from voxgate.engine.audio.postprocess import normalise_level
from voxgate.engine.config import Deess, Denoise, SilenceRemoval
from voxgate.harness.targets.engine.observer_registry import Check, Observation
from voxgate.harness.targets.engine.output_checks import OUTPUT_CHECKS, HasOutput, joined
from voxgate.harness.targets.protocol import Options

SAME = 1e-5
"""Relative difference up to which audio is the same; light noise reduction changes about 1e-3."""
ALIKE = 1e-6
"""The same between two values, both computed here."""
QUIET_DB, WINDOW_S, LONGEST_S = -42.0, 0.01, 0.13
"""Of a silence that fixed removal cannot have left: it keeps 100 ms, and parts of windows."""
OFF, DEFAULT_MS = "off", 50.0
Distance = tuple[int, float]
Describe = Callable[[np.ndarray, np.ndarray, int], str]
"""From the audio as delivered, the same without the option, and the rate."""


def _apart(audio: np.ndarray, other: np.ndarray) -> Distance:
    """Return by how many samples lengths differ, and the relative difference of what both have."""
    both = min(audio.size, other.size)
    error, power = (
        float(np.square(each, dtype=np.float64).sum())
        for each in (audio[:both] - other[:both], other)
    )
    return abs(audio.size - other.size), (error / max(power, 1e-30)) ** 0.5


def _is_in_effect(
    options: Options, seen: HasOutput, name: str, others: Iterable[str | float]
) -> bool:
    """Return whether the audio is nearer to the asked value than to those that differ from it."""
    output = seen.output
    asked = joined(output, options)
    distance = _apart(output.given, asked)
    if options[name] == OFF and distance <= (0, SAME):
        return True
    variants = (joined(output, {**options, name: value}) for value in others)
    return all(
        distance < _apart(output.given, variant)
        for variant in variants
        if _apart(asked, variant) > (0, ALIKE)
    )


def _switch(name: str, values: Iterable[str], describe: Describe) -> Check:
    """Return the check of an option that is off or on."""

    def check(options: Options, seen: HasOutput) -> Observation:
        asked, output = str(options[name]), seen.output
        if not output.chunks or not output.given.size:
            return Observation(observed="no audio", in_effect=None, reason="nothing to compare")
        others = [value for value in values if value != asked]
        without = joined(output, {**options, name: OFF})
        idle = asked != OFF and _apart(joined(output, options), without) <= (0, ALIKE)
        if idle and _apart(output.given, without) <= (0, SAME):
            left = name == "silence_removal" and asked == "fixed" and _silence_s(seen) > LONGEST_S
            return Observation(
                observed=f"a silence of {_silence_s(seen):.2f} s is left" if left else "no change",
                in_effect=False if left else None,
                reason="the audio gave it nothing to do, so a pipeline that never calls it would "
                "sound the same",
            )
        return Observation(
            observed=describe(output.given, without, output.rate_hz),
            in_effect=_is_in_effect(options, seen, name, others),
            reason="the audio as delivered, against what the vocoder made, with it and without",
        )

    return check


def _silence_s(seen: HasOutput) -> float:
    """Return the longest silence of a chunk at its final level, in seconds."""
    output = seen.output
    window, longest = round(WINDOW_S * output.rate_hz), 0
    for chunk in map(normalise_level, output.chunks):
        frames = chunk[: chunk.size // window * window].reshape(-1, window)
        loud = np.flatnonzero(np.square(frames).mean(axis=1) >= 10 ** (QUIET_DB / 10))
        longest = max(longest, int(np.diff([-1, *loud, len(frames)]).max()) - 1)
    return longest * WINDOW_S


def _removed(given: np.ndarray, without: np.ndarray, rate_hz: int) -> str:
    return f"{(without.size - given.size) / rate_hz:.2f} s less"


def _change(given: np.ndarray, without: np.ndarray, rate_hz: int) -> str:
    apart = _apart(given, without)
    if apart[0]:
        return f"{apart[0]} samples more or less"
    return "no change" if apart[1] <= SAME else f"changed by {20 * np.log10(apart[1]):.1f} dB"


def _crossfade(options: Options, seen: HasOutput) -> Observation:
    """Check by how much chunks overlap, whatever was done to silences."""
    output, asked = seen.output, float(options["crossfade_ms"])
    modes = [{**options, "silence_removal": mode} for mode in SilenceRemoval]
    joins = len(output.chunks) - 1
    fitting = any(_apart(output.given, joined(output, each))[0] == 0 for each in (options, *modes))
    apart_ms = 1000 * (joined(output, options).size - output.given.size) / output.rate_hz
    shared_ms = asked + apart_ms / max(1, joins)
    return Observation(
        observed=f"{shared_ms:.1f} ms shared at each join" if joins > 0 else "one chunk, no join",
        in_effect=_joins_hold(options, seen, fitting=fitting),
        reason=f"{asked} ms are asked for; the lengths of chunks and of the whole",
    )


def _joins_hold(options: Options, seen: HasOutput, *, fitting: bool) -> bool | None:
    if len(seen.output.chunks) > 1:
        return fitting and _is_in_effect(options, seen, "crossfade_ms", (0.0, 50.0, 120.0))
    return True if float(options["crossfade_ms"]) == DEFAULT_MS else None


POSTPROCESS_CHECKS: Mapping[str, Check] = {
    "denoise": _switch("denoise", tuple(Denoise), _change),
    "deess": _switch("deess", tuple(Deess), _change),
    "silence_removal": _switch("silence_removal", tuple(SilenceRemoval), _removed),
    "crossfade_ms": _crossfade,
}

FLOW_OUTPUT_CHECKS: Mapping[str, Check] = {**OUTPUT_CHECKS, **POSTPROCESS_CHECKS}

"""
Faults of content, most of them known of token models: speaking on behind the text, holding a sound,
saying words twice, leaving words out, saying another text, and beginning with a snippet of the
prompt.

Pure functions of one utterance, or of a request where an engine can be asked for the fault.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from voxgate.harness.audio.files import Audio
from voxgate.harness.records.cell import Request
from voxgate.harness.selftest.fault_effects import (
    SEED,
    Change,
    SpokenUtterance,
    end_of,
    joined,
    middle_of,
)

SHORTEST_PIECE_S, LONGEST_PIECE_S = 0.08, 0.25
"""Of babble: about a syllable."""
COMPARED_S = 0.03
"""Of sound that is held against what was before it, to find its period."""
HIGHEST_HZ, LOWEST_HZ = 400, 60
ENDING_S = 0.15
BREATH_S = 0.2
HALLUCINATED_WORDS = 5

Respeak = Callable[[Request, Sequence[Request]], Request | None]
"""(request, all requests) -> what to say instead; None where that cannot be."""


def babble(duration_s: float) -> Change:
    """Go on for `duration_s` seconds behind the text, with syllables of it in any order."""

    def change(speech: SpokenUtterance) -> Audio | None:
        rng, end, rate_hz = np.random.default_rng(SEED), end_of(speech.audio), speech.rate_hz
        if end <= LONGEST_PIECE_S * rate_hz:
            return None
        pieces, missing = [speech.audio[:end]], round(duration_s * rate_hz)
        while missing > 0:
            length = round(rng.uniform(SHORTEST_PIECE_S, LONGEST_PIECE_S) * rate_hz)
            start = int(rng.integers(0, end - length))
            pieces.append(speech.audio[start : start + length])
            missing -= length
        return _faded(joined(pieces, rate_hz), rate_hz)

    return change


def held(duration_s: float) -> Change:
    """Hold the last loud sound for `duration_s` seconds, and end with it."""

    def change(speech: SpokenUtterance) -> Audio | None:
        place = middle_of(speech.audio, 0.9)
        audio = _holding(speech, place, duration_s, [])
        return None if audio is None else _faded(audio, speech.rate_hz)

    return change


def stuck(duration_s: float) -> Change:
    """Hold the sound in the middle of the speech for `duration_s` seconds, and go on."""

    def change(speech: SpokenUtterance) -> Audio | None:
        place = middle_of(speech.audio)
        return _holding(speech, place, duration_s, [speech.audio[place:]])

    return change


def ended_early(share: float) -> Change:
    """End where a share of the energy has been spoken, in the quietest place near it."""

    def change(speech: SpokenUtterance) -> Audio:
        first, last = (middle_of(speech.audio, share + step) for step in (-0.1, 0.1))
        width = max(1, round(0.02 * speech.rate_hz))
        energy = np.convolve(speech.audio.astype(np.float64) ** 2, np.ones(width), "same")
        end = first + int(np.argmin(energy[first : last + 1]))
        fade = np.linspace(1.0, 0.0, min(width, end), dtype=np.float32)
        ended: Audio = speech.audio[:end].copy()
        ended[end - len(fade) :] *= fade
        return ended

    return change


def begun_late(speech: SpokenUtterance) -> Audio:
    """Leave out what is before the quietest place of the first third, about a word."""
    first, last = (middle_of(speech.audio, share) for share in (0.08, 0.3))
    width = max(1, round(0.02 * speech.rate_hz))
    energy = np.convolve(speech.audio.astype(np.float64) ** 2, np.ones(width), "same")
    start = first + int(np.argmin(energy[first : last + 1]))
    late: Audio = speech.audio[start:].copy()
    rise = np.linspace(0.0, 1.0, min(width, len(late)), dtype=np.float32)
    late[: len(rise)] *= rise
    return late


def another_sentence(speech: SpokenUtterance) -> Audio | None:
    """Return another utterance instead; None where there is none."""
    return None if speech.other is None else speech.other.copy()


def hallucinated(duration_s: float) -> Change:
    """Go on after a breath with `duration_s` seconds of another utterance."""

    def change(speech: SpokenUtterance) -> Audio | None:
        if speech.other is None:
            return None
        more = speech.other[: round(duration_s * speech.rate_hz)]
        if len(more) < duration_s * speech.rate_hz / 2.0:
            return None
        still = np.zeros(round(BREATH_S * speech.rate_hz), dtype=np.float32)
        whole = [speech.audio[: end_of(speech.audio)], still, more]
        return _faded(joined(whole, speech.rate_hz), speech.rate_hz)

    return change


def snippet(duration_s: float) -> Change:
    """Put `duration_s` seconds from the middle of the voice's recording before the speech."""

    def change(speech: SpokenUtterance) -> Audio | None:
        if speech.voice is None:
            return None
        place, half = middle_of(speech.voice), round(duration_s * speech.rate_hz / 2)
        spilt = speech.voice[max(0, place - half) : place + half]
        return joined([spilt, speech.audio], speech.rate_hz)

    return change


def other_text(request: Request, requests: Sequence[Request]) -> Request | None:
    """Request the text of the next request that has another one."""
    text = _next_text(request, requests)
    return None if text is None else replace(request, text=text)


def more_text(request: Request, requests: Sequence[Request]) -> Request | None:
    """Request the first words of the next text behind the request's own."""
    text = _next_text(request, requests)
    if text is None:
        return None
    more = " ".join(text.split()[:HALLUCINATED_WORDS]).rstrip(",;:.!?")
    return replace(request, text=f"{request.text.rstrip()} {more}.")


def _next_text(request: Request, requests: Sequence[Request]) -> str | None:
    names = [each.id for each in requests]
    at = names.index(request.id) if request.id in names else -1
    later = (*requests[at + 1 :], *requests[: max(at, 0)])
    return next((each.text for each in later if not same_words(each.text, request.text)), None)


def same_words(text: str, other: str) -> bool:
    """Return whether two texts say the same, asked or told."""
    first, second = (re.findall(r"\w+", each.lower()) for each in (text, other))
    return first == second


def without_first_word(request: Request, requests: Sequence[Request]) -> Request | None:
    """Leave the first word out; None for a text of fewer than three."""
    words = request.text.split()
    return replace(request, text=" ".join(words[1:])) if len(words) > 2 else None


def without_middle_word(request: Request, requests: Sequence[Request]) -> Request | None:
    """Leave the longest word out that is neither first nor last; None for fewer than four."""
    words = request.text.split()
    if len(words) < 4:
        return None
    at = max(range(1, len(words) - 1), key=lambda place: len(words[place]))
    return replace(request, text=" ".join([*words[:at], *words[at + 1 :]]))


def without_second_half(request: Request, requests: Sequence[Request]) -> Request | None:
    """Leave the second half of the words out; None for a text of fewer than four."""
    count = len(request.text.split()) // 2
    return without_end(count)(request, requests) if count >= 2 else None


def said_twice(count: int) -> Respeak:
    """Repeat `count` words in the middle of the text; None for a text of fewer than two more."""

    def respeak(request: Request, requests: Sequence[Request]) -> Request | None:
        words = request.text.split()
        if len(words) < count + 2:
            return None
        at = (len(words) - count) // 2
        twice = re.sub(r"[^\w' -]", "", " ".join(words[at : at + count]))
        text = " ".join([*words[:at], twice, *words[at:]])
        return replace(request, text=text)

    return respeak


def without_end(count: int) -> Respeak:
    """Leave the last `count` words out; None for a text of fewer than two more."""

    def respeak(request: Request, requests: Sequence[Request]) -> Request | None:
        words, stop = request.text.rstrip(".!? ").split(), request.text.rstrip()[-1:]
        if len(words) < count + 2:
            return None
        return replace(request, text=" ".join(words[:-count]).rstrip(",;:") + stop)

    return respeak


def _faded(audio: Audio, rate_hz: int) -> Audio:
    """Let the end die away, so that it is no cut one."""
    length = min(round(ENDING_S * rate_hz), len(audio))
    faded: Audio = audio.copy()
    faded[len(audio) - length :] *= np.geomspace(1.0, 1e-4, length, dtype=np.float32)
    return faded


def _holding(
    speech: SpokenUtterance, place: int, duration_s: float, rest: list[Audio]
) -> Audio | None:
    """Return the speech until `place`, the last period of its sound for a while, and the rest."""
    rate_hz, length = speech.rate_hz, round(COMPARED_S * speech.rate_hz)
    sound = speech.audio[max(0, place - 3 * length) : place].astype(np.float64)
    if len(sound) < 3 * length:
        return None
    lags = np.arange(rate_hz // HIGHEST_HZ, rate_hz // LOWEST_HZ)
    tail = sound[-length:]
    alike = [float(tail @ sound[-length - lag : -lag]) for lag in lags]
    period = int(lags[int(np.argmax(alike))])
    seam = period // 4
    # its end fades into its beginning, so that it can follow itself
    ramp = np.linspace(0.0, 1.0, seam)
    loop = sound[-period:].copy()
    loop[-seam:] = loop[-seam:] * (1.0 - ramp) + sound[-period - seam : -period] * ramp
    whole = np.tile(loop, max(1, round(duration_s * rate_hz / period))).astype(np.float32)
    return joined([speech.audio[:place], whole, *rest], rate_hz)

"""
What of a request was in effect at a server on the other side of the wire, as far as that can be heard. Pure.

A voice or a seed that is in effect sounds unlike another one, if the same request sounds the same twice; a speed changes how
long the same text takes. What leaves no trace in the audio is called not observable, with what the server tells of it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.audio.files import Audio, same_audio
from harness.records.cell import Option
from harness.records.run import UNSEEN, Effect
from harness.targets.http.client import Piece

TOLD = "told by the server"
SENT = "sent, and not refused"
HEARD = "heard"
SPEED_DOUBT = 0.5
"""How far the change of length may be off, as a share of the logarithm of the speed: pauses need not shrink with words."""
OURS = ("url", "timeout_s")
"""Where and how long we ask; nothing that a server could ignore."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What one request sounded like."""

    pieces: int
    audio_s: float
    audio: Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One text as it was asked for, and with one thing changed; None where that could not be asked, or makes no sense."""

    asked: Heard
    again: Heard | None = None
    """The same request once more: where it sounds otherwise, another sound proves nothing."""
    other_voice: Heard | None = None
    other_seed: Heard | None = None
    speed_1: Heard | None = None
    voices: Sequence[str] | None = None
    """That the server tells of; None where it tells of none."""
    listed: bool = False
    """Whether the server lists its model."""


def hear(pieces: Iterable[Piece]) -> Heard:
    """Sum up an answer."""
    several = list(pieces)
    audio = np.concatenate([np.empty(0, np.float32), *(piece.audio for piece in several)])
    audio_s = sum(piece.audio.size / piece.rate_hz for piece in several)
    return Heard(pieces=len(several), audio_s=audio_s, audio=audio)


def judge(asked: Mapping[str, Option], voice: str | None, hearing: Hearing) -> tuple[Effect, ...]:
    """Hold what was heard against what was asked; `voice` is the one that was sent."""
    return tuple(_effect(name, value, voice, hearing) for name, value in asked.items() if name not in OURS)


def _effect(name: str, asked: Option, voice: str | None, hearing: Hearing) -> Effect:
    if name in ("voice", "speaker"):
        return _voice(name, asked, voice, hearing)
    if name == "speed" and hearing.speed_1 is not None:
        return _speed(float(asked), hearing.asked.audio_s, hearing.speed_1.audio_s)
    if name == "seed" and hearing.other_seed is not None:
        return _other(name, asked, hearing.other_seed, hearing)
    if name == "form":
        return _said(name, asked, f"{asked} was read", True, "how the audio begins, and all of it")
    if name == "streamed":
        return _streamed(asked, hearing.asked.pieces)
    if name == "model" and hearing.listed:
        return _unseen(name, asked, f"{asked} is listed, as the server tells")
    return _unseen(name, asked, SENT)


def _streamed(asked: Option, pieces: int) -> Effect:
    """Several pieces show that audio was streamed; one shows nothing, and neither do pieces that nobody asked for."""
    if asked and pieces > 1:
        return _said("streamed", asked, f"{pieces} pieces arrived", True, HEARD)
    return _unseen("streamed", asked, "short audio may well be one piece" if asked else f"{pieces} pieces arrived")


def _other(name: str, asked: Option, other: Heard, hearing: Hearing) -> Effect:
    """Hold the audio with another voice or seed against the one that was asked for."""
    if same_audio(other.audio, hearing.asked.audio):
        return _said(name, asked, f"the same audio with another {name}", False, HEARD)
    if hearing.again is not None and not same_audio(hearing.again.audio, hearing.asked.audio):
        return _unseen(name, asked, "the same request sounds otherwise each time")
    return _said(name, asked, f"other audio with another {name}", True, HEARD)


def _voice(name: str, asked: Option, voice: str | None, hearing: Hearing) -> Effect:
    if asked != voice:
        return _unseen(name, asked, f"the cell names one voice for all texts, {voice}")
    if hearing.voices is not None and asked not in hearing.voices:
        return _said(name, asked, f"the server has {', '.join(hearing.voices)}", False, TOLD)
    if hearing.other_voice is None:
        return _unseen(name, asked, SENT)
    return _other(name, asked, hearing.other_voice, hearing)


def _speed(asked: float, audio_s: float, plain_s: float) -> Effect:
    """A speed of 2 should halve the audio; pauses and rounding take some of it."""
    ratio = plain_s / audio_s if audio_s > 0.0 else math.inf
    holds = 0.0 < ratio < math.inf and abs(math.log(ratio) - math.log(asked)) <= SPEED_DOUBT * abs(math.log(asked))
    return _said("speed", asked, f"{ratio:.2f} times as fast as speed 1", holds, HEARD)


def _unseen(name: str, asked: Option, why: str) -> Effect:
    return Effect(option=name, asked=asked, observed=UNSEEN, holds=None, why=why)


def _said(name: str, asked: Option, observed: str, holds: bool, why: str) -> Effect:
    return Effect(option=name, asked=asked, observed=observed, holds=holds, why=why)

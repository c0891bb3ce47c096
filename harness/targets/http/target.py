"""
Any server with OpenAI's `POST /v1/audio/speech` as a target: it is measured as its user sees it.

The server is a black box: options are checked by the audio, and what the server reports of itself
is recorded as reported. The address comes from the option `url` or from VOXGATE_HTTP_URL, which
keeps it out of the cell, so that the same suite measures several servers; a key comes from
VOXGATE_HTTP_KEY alone.

A voice or a seed is in effect if another one gives other audio, and the same request gives the same
audio twice; a speed changes the duration of the same text. An option that leaves no trace in the
audio is not observable, with the server's own word for it.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from voxgate.harness.audio.files import Audio, same_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.run import DROPPED, UNSEEN, OptionCheck
from voxgate.harness.targets.http.client import (
    API_RATE_HZ,
    BYTE_ORDERS,
    FORMS,
    Ask,
    ReceivedAudio,
    SpeechApi,
    reported_options,
    reported_voices,
)
from voxgate.harness.targets.protocol import Options, StageWatch, Target

TOLD = "told by the server"
SENT = "sent, and not refused"
HEARD = "heard"
SPEED_DOUBT = 0.5
"""
Tolerance of the change of duration, as a share of the logarithm of the speed: pauses need not
shrink with words.
"""
CLIENT_OPTIONS = ("url", "timeout_s", "byte_order")
"""Options of this side, which no server could ignore."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponseAudio:
    """Audio of one response."""

    pieces: int
    audio_s: float
    audio: Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResponses:
    """
    Responses to one text as requested, and with one thing changed; None where that could not be
    requested, or makes no sense.
    """

    requested: ResponseAudio
    again: ResponseAudio | None = None
    """The same request once more: where it differs, other audio proves nothing."""
    other_voice: ResponseAudio | None = None
    other_seed: ResponseAudio | None = None
    speed_1: ResponseAudio | None = None
    voices: Sequence[str] | None = None
    """Voices that the server lists; None where it lists none."""
    listed: bool = False
    """Whether the server lists its model."""


def response_audio(received: Iterable[ReceivedAudio]) -> ResponseAudio:
    """Return the audio of a response, concatenated."""
    chunks = list(received)
    audio = np.concatenate([np.empty(0, np.float32), *(chunk.audio for chunk in chunks)])
    audio_s = sum(chunk.audio.size / chunk.rate_hz for chunk in chunks)
    return ResponseAudio(pieces=len(chunks), audio_s=audio_s, audio=audio)


def check_responses(
    requested: Mapping[str, Option], voice: str | None, hearing: ProbeResponses
) -> tuple[OptionCheck, ...]:
    """Check each requested option by the responses; `voice` is the one that was sent."""
    return tuple(
        _effect(name, value, voice, hearing)
        for name, value in requested.items()
        if name not in CLIENT_OPTIONS
    )


def _effect(
    name: str, requested: Option, voice: str | None, hearing: ProbeResponses
) -> OptionCheck:
    if name in ("voice", "speaker"):
        return _voice(name, requested, voice, hearing)
    if name == "speed" and hearing.speed_1 is not None:
        return _speed(float(requested), hearing.requested.audio_s, hearing.speed_1.audio_s)
    if name == "seed" and hearing.other_seed is not None:
        return _other(name, requested, hearing.other_seed, hearing)
    if name == "form":
        return _said(
            name, requested, f"{requested} was read", True, "how the audio begins, and all of it"
        )
    if name == "streamed":
        return _streamed(requested, hearing.requested.pieces)
    if name == "model" and hearing.listed:
        return _unseen(name, requested, f"{requested} is listed, as the server tells")
    return _unseen(name, requested, SENT)


def _streamed(requested: Option, pieces: int) -> OptionCheck:
    """
    Check for streamed audio: several chunks show it; one shows nothing, and neither do chunks that
    were not requested.
    """
    if requested and pieces > 1:
        return _said("streamed", requested, f"{pieces} pieces arrived", True, HEARD)
    return _unseen(
        "streamed",
        requested,
        "short audio may well be one piece" if requested else f"{pieces} pieces arrived",
    )


def _other(
    name: str, requested: Option, other: ResponseAudio, hearing: ProbeResponses
) -> OptionCheck:
    """Compare the audio of another voice or seed with that of the requested one."""
    if same_audio(other.audio, hearing.requested.audio):
        return _said(name, requested, f"the same audio with another {name}", False, HEARD)
    if hearing.again is not None and not same_audio(hearing.again.audio, hearing.requested.audio):
        return _unseen(name, requested, "the same request sounds otherwise each time")
    return _said(name, requested, f"other audio with another {name}", True, HEARD)


def _voice(name: str, requested: Option, voice: str | None, hearing: ProbeResponses) -> OptionCheck:
    if requested != voice:
        return _unseen(name, requested, f"the cell names one voice for all texts, {voice}")
    if hearing.voices is not None and requested not in hearing.voices:
        return _said(name, requested, f"the server has {', '.join(hearing.voices)}", False, TOLD)
    if hearing.other_voice is None:
        return _unseen(name, requested, SENT)
    return _other(name, requested, hearing.other_voice, hearing)


def _speed(requested: float, audio_s: float, plain_s: float) -> OptionCheck:
    """Check that a speed of 2 about halves the audio; pauses and rounding cost some of it."""
    ratio = plain_s / audio_s if audio_s > 0.0 else math.inf
    in_effect = 0.0 < ratio < math.inf and abs(
        math.log(ratio) - math.log(requested)
    ) <= SPEED_DOUBT * abs(math.log(requested))
    return _said("speed", requested, f"{ratio:.2f} times as fast as speed 1", in_effect, HEARD)


def _unseen(name: str, requested: Option, reason: str) -> OptionCheck:
    return OptionCheck(
        option=name, requested=requested, observed=UNSEEN, in_effect=None, reason=reason
    )


def _said(name: str, requested: Option, observed: str, in_effect: bool, reason: str) -> OptionCheck:
    return OptionCheck(
        option=name, requested=requested, observed=observed, in_effect=in_effect, reason=reason
    )


URL, KEY = "VOXGATE_HTTP_URL", "VOXGATE_HTTP_KEY"
DEFAULTS: Mapping[str, Option] = {
    "url": "",
    "model": "",
    "voice": "",
    "form": "wav",
    "streamed": True,
    "timeout_s": 60.0,
}
FURTHER = ("speed", "seed", "speaker", "byte_order")
"""
Without a default. A workload's `speaker` is the voice, unless the cell names one for all texts.
"""
HARNESS_OPTIONS = ("device", "threads")
"""A profile sets them for engines that run here; they do not apply to a server."""
MODELS_SHOWN = 20


class HttpTarget(Target):
    """One server, one model."""

    sample_rate_hz = API_RATE_HZ
    """Until the first response reports its own."""
    imports = ("httpx2",)
    elsewhere = True

    def __init__(self) -> None:
        self._api: SpeechApi
        self._asked: dict[str, Option] = {}
        self._options: dict[str, Option] = {}
        self._cards: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def check_options(cls, pipeline: str, options: Options) -> None:
        """Refuse an unknown pipeline, option or form."""
        names = (*DEFAULTS, *FURTHER)
        unknown = sorted(set(options) - {*names, *HARNESS_OPTIONS})
        if pipeline != "speech" or unknown:
            raise HarnessError(
                f"target http has pipeline speech and options {', '.join(names)}; not {pipeline!r} "
                f"{unknown}"
            )
        if options.get("form", "wav") not in FORMS:
            raise HarnessError(
                f"option form cannot be {options['form']!r}; choose from {', '.join(FORMS)}"
            )
        if options.get("byte_order", BYTE_ORDERS[0]) not in BYTE_ORDERS:
            raise HarnessError(
                f"option byte_order cannot be {options['byte_order']!r}; choose from "
                f"{', '.join(BYTE_ORDERS)}, or leave it to the server's headers"
            )
        if options.get("form") == "flac" and options.get("streamed", True):
            raise HarnessError(
                "form=flac cannot be streamed; set streamed=False, or use wav or pcm"
            )
        for name, kind in (("timeout_s", int | float), ("streamed", bool)):
            if name in options and (
                not isinstance(options[name], kind)
                or (name == "timeout_s" and not options[name] > 0)  # type: ignore[operator]
            ):
                raise HarnessError(f"option {name} cannot be {options[name]!r}")

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Find the server and its model. Raises HarnessError where there is none."""
        self.check_options(cell.pipeline, cell.options)
        self._asked = cell.options
        self._options = {**DEFAULTS, **cell.options}
        url = str(self._options["url"] or os.environ.get(URL, ""))
        if not url:
            raise HarnessError(
                f"target http needs a server: set {URL}, or the option url, e.g. http://127.0.0.1:8080"
            )
        self._api = SpeechApi(url, float(self._options["timeout_s"]), os.environ.get(KEY))
        self._cards = self._api.models()
        self._options |= {
            "url": url,
            "model": chosen_model(str(self._options["model"]), self._cards),
        }

    def effective(self) -> Mapping[str, Option]:
        """Return the options that are sent, and those that the server reports of itself."""
        told = {f"server.{name}": value for name, value in reported_options(self._card()).items()}
        return {**self._options, **told}

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield audio as it arrives."""
        self.notices = ()
        pieces = self._api.speak(self._ask(request))
        stage = "first_audio"
        while True:
            with watch(stage):
                piece = next(pieces, None)
            if piece is None:
                return
            self.sample_rate_hz = piece.rate_hz
            if piece.dropped:
                self.notices = ((DROPPED, piece.dropped),)
            yield piece.audio
            stage = "further_audio"

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """
        Synthesise as requested, and again with one thing changed, to see whether the audio differs.
        """
        ask, card = self._ask(request), self._card()
        voices = reported_voices(card)
        other = next((voice for voice in voices or () if voice != ask.voice), None)
        other_voice = self._hear(replace(ask, voice=other)) if ask.voice and other else None
        other_seed = None if ask.seed is None else self._hear(replace(ask, seed=ask.seed + 1))
        hearing = ProbeResponses(
            requested=self._hear(ask),
            again=None if other_voice is None and other_seed is None else self._hear(ask),
            other_voice=other_voice,
            other_seed=other_seed,
            speed_1=None if ask.speed in (None, 1.0) else self._hear(replace(ask, speed=1.0)),
            voices=voices,
            listed=bool(card),
        )
        return check_responses({**self._asked, **request.options}, ask.voice, hearing)

    def _ask(self, request: Request) -> Ask:
        options = {**self._options, **request.options}
        speed, seed = options.get("speed"), options.get("seed")
        return Ask(
            text=request.text,
            model=str(options["model"]),
            voice=str(self._options["voice"] or options.get("speaker") or "") or None,
            form=str(options["form"]),
            streamed=bool(options["streamed"]),
            speed=None if speed is None else float(speed),
            seed=None if seed is None else int(seed),
            byte_order=str(options.get("byte_order", "")),
        )

    def _card(self) -> Mapping[str, Any]:
        return next((card for card in self._cards if card["id"] == self._options["model"]), {})

    def _hear(self, ask: Ask) -> ResponseAudio:
        return response_audio(self._api.speak(ask))


def chosen_model(requested: str, cards: tuple[Mapping[str, Any], ...]) -> str:
    """
    Return the model to request: the named one, or the only one that the server lists. Raises
    HarnessError.
    """
    listed = [str(card["id"]) for card in cards]
    if requested and (requested in listed or not listed):
        return requested
    if not requested and len(listed) == 1:
        return listed[0]
    names = (
        ", ".join(listed[:MODELS_SHOWN]) + ("" if len(listed) <= MODELS_SHOWN else ", ...")
        or "none"
    )
    raise HarnessError(f"option model is {requested!r}; the server lists {names}: name one of them")

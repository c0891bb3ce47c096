"""
Any server that speaks OpenAI's `POST /v1/audio/speech` as a target: what a user on the other side of the wire gets.

The server is a closed box. What can be heard from here is heard (`http_effects.py`); what it runs with is recorded as it tells
it, and called that. The address comes from the option `url` or from VOXGATE_HTTP_URL, which
keeps it out of the cell, so that the same suite measures several servers; a key comes from VOXGATE_HTTP_KEY alone.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.records.cell import Cell, Option, Request
from harness.records.run import Effect
from harness.targets.http.client import API_RATE_HZ, FORMS, Ask, SpeechApi, options_told, voices_told
from harness.targets.http.http_effects import Heard, Hearing, hear, judge
from harness.targets.protocol import StageWatch

URL, KEY = "VOXGATE_HTTP_URL", "VOXGATE_HTTP_KEY"
DEFAULTS: Mapping[str, Option] = {"url": "", "model": "", "voice": "", "form": "wav", "streamed": True, "timeout_s": 60.0}
FURTHER = ("speed", "seed", "speaker")
"""Sent only if asked for. A workload's `speaker` is the voice, unless the cell names one for all texts."""
OURS = ("device", "threads")
"""What a profile decides for engines that run here; another machine's server does not ask us."""
MODELS_SHOWN = 20


def check_options(pipeline: str, options: Mapping[str, Option]) -> None:
    """Refuse an unknown pipeline, option or form. Raises HarnessError."""
    known = (*DEFAULTS, *FURTHER)
    unknown = sorted(set(options) - {*known, *OURS})
    if pipeline != "speech" or unknown:
        raise HarnessError(f"target http has pipeline speech and options {', '.join(known)}; not {pipeline!r} {unknown}")
    if options.get("form", "wav") not in FORMS:
        raise HarnessError(f"option form cannot be {options['form']!r}; choose from {', '.join(FORMS)}")
    if options.get("form") == "flac" and options.get("streamed", True):
        raise HarnessError("form=flac cannot be streamed; set streamed=False, or use wav or pcm")
    for name, wanted in (("timeout_s", int | float), ("streamed", bool)):
        if name in options and (not isinstance(options[name], wanted) or (name == "timeout_s" and not options[name] > 0)):  # type: ignore[operator]
            raise HarnessError(f"option {name} cannot be {options[name]!r}")


class HttpTarget:
    """One server, one model."""

    sample_rate_hz = API_RATE_HZ
    """Until the first answer tells its own."""
    imports = ("httpx2",)
    elsewhere = True

    def __init__(self) -> None:
        self._api: SpeechApi
        self._asked: dict[str, Option] = {}
        self._options: dict[str, Option] = {}
        self._cards: tuple[Mapping[str, Any], ...] = ()

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Find the server and its model. Raises HarnessError where there is none."""
        check_options(cell.pipeline, cell.options)
        self._asked = cell.options
        self._options = {**DEFAULTS, **cell.options}
        url = str(self._options["url"] or os.environ.get(URL, ""))
        if not url:
            raise HarnessError(f"target http needs a server: set {URL}, or the option url, e.g. http://127.0.0.1:8080")
        self._api = SpeechApi(url, float(self._options["timeout_s"]), os.environ.get(KEY))
        self._cards = self._api.models()
        self._options |= {"url": url, "model": chosen_model(str(self._options["model"]), self._cards)}

    def effective(self) -> Mapping[str, Option]:
        """Give what is sent, and beside it what the server tells of itself."""
        told = {f"server.{name}": value for name, value in options_told(self._card()).items()}
        return {**self._options, **told}

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield audio as it arrives."""
        pieces = self._api.speak(self._ask(request))
        stage = "first_audio"
        while True:
            with watch(stage):
                piece = next(pieces, None)
            if piece is None:
                return
            self.sample_rate_hz = piece.rate_hz
            yield piece.audio
            stage = "further_audio"

    def observe(self, request: Request) -> tuple[Effect, ...]:
        """Speak as asked, and again with one thing changed, to hear whether it makes a difference."""
        ask, card = self._ask(request), self._card()
        voices = voices_told(card)
        other = next((voice for voice in voices or () if voice != ask.voice), None)
        other_voice = self._hear(replace(ask, voice=other)) if ask.voice and other else None
        other_seed = None if ask.seed is None else self._hear(replace(ask, seed=ask.seed + 1))
        hearing = Hearing(
            asked=self._hear(ask),
            again=None if other_voice is None and other_seed is None else self._hear(ask),
            other_voice=other_voice,
            other_seed=other_seed,
            speed_1=None if ask.speed in (None, 1.0) else self._hear(replace(ask, speed=1.0)),
            voices=voices,
            listed=bool(card),
        )
        return judge({**self._asked, **request.options}, ask.voice, hearing)

    def settled(self) -> bool:
        """Nothing is compiled on this side."""
        return True

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
        )

    def _card(self) -> Mapping[str, Any]:
        return next((card for card in self._cards if card["id"] == self._options["model"]), {})

    def _hear(self, ask: Ask) -> Heard:
        return hear(self._api.speak(ask))


def chosen_model(asked: str, cards: tuple[Mapping[str, Any], ...]) -> str:
    """Give the model to ask for: the one that was named, or the only one that the server lists. Raises HarnessError."""
    listed = [str(card["id"]) for card in cards]
    if asked and (asked in listed or not listed):
        return asked
    if not asked and len(listed) == 1:
        return listed[0]
    names = ", ".join(listed[:MODELS_SHOWN]) + ("" if len(listed) <= MODELS_SHOWN else ", ...") or "none"
    raise HarnessError(f"option model is {asked!r}; the server lists {names}: name one of them")

"""
What a client asks for: the JSON of OpenAI's `POST /v1/audio/speech`, read strictly.

Beyond that API there is `seed`. What this engine cannot do (instructions, other formats,
server-sent events) is refused with the reason; nothing that a client wrote is passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.alphabet import SPEAKERS
from engine.config import parse_options
from engine.errors import EngineError
from engine.serve.errors import RefusedError
from engine.serve.response import STREAMABLE, AudioFormat

FIELDS = ("model", "input", "voice", "response_format", "speed", "stream_format", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One text to be spoken; `options` are the engine's, for this text only."""

    text: str
    options: Mapping[str, object]
    form: AudioFormat
    streamed: bool
    """Whether audio is sent as soon as it is playable."""


def parse_speech(body: bytes, model: str, max_characters: int) -> SpeechRequest:
    """Read a request's body; `model` is the one that this server has. Raises RefusedError."""
    asked = _object(body)
    if asked.get("instructions"):
        raise _bad("instructions", "this voice follows no instructions; leave the field out")
    unknown = sorted(set(asked) - {*FIELDS, "instructions"})
    if unknown:
        raise _bad(unknown[0], f"unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}")
    if asked.get("model") != model:
        message = f"there is no model {asked.get('model')!r} here; this server has {model}"
        raise RefusedError(404, message, param="model", code="model_not_found")
    form = _form(asked.get("response_format", AudioFormat.WAV.value))
    return SpeechRequest(
        text=_text(asked.get("input"), max_characters),
        options=_options(asked),
        form=form,
        streamed=_streamed(asked.get("stream_format"), form),
    )


def check_speakable(speech: SpeechRequest) -> None:
    """
    Raise RefusedError for a text in which nothing can be spoken, before it shares a batch with
    others.
    """
    from engine.text.frontend import phonemise

    try:
        phonemise(speech.text)
    except EngineError as error:
        raise _bad("input", str(error)) from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad(None, f"the body is not valid JSON: {error}") from None
    if not isinstance(asked, dict):
        raise _bad(None, f"the body must be a JSON object, not {type(asked).__name__}")
    return asked


def _text(text: object, max_characters: int) -> str:
    if not isinstance(text, str) or not text.strip():
        raise _bad("input", "input must be text with at least one word")
    if len(text) > max_characters:
        raise _bad(
            "input",
            f"input has {len(text)} characters, the limit is {max_characters}; split it and speak "
            "the parts",
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _bad(
            "input", "input holds half of a surrogate pair, which is no character; send it as UTF-8"
        )
    return text


def _form(word: object) -> AudioFormat:
    if not isinstance(word, str) or word not in tuple(AudioFormat):
        raise _bad(
            "response_format",
            f"response_format cannot be {word!r}; this server sends {', '.join(AudioFormat)}",
        )
    return AudioFormat(word)


def _streamed(word: object, form: AudioFormat) -> bool:
    if word is None:
        return False
    if word != "audio":
        raise _bad(
            "stream_format",
            f"stream_format cannot be {word!r}; use audio, or leave it out for the whole at once",
        )
    if form not in STREAMABLE:
        raise _bad(
            "response_format",
            f"{form} cannot be streamed; use {' or '.join(STREAMABLE)}, or leave stream_format out",
        )
    return True


def _options(asked: Mapping[str, Any]) -> dict[str, object]:
    """
    Give what the engine is told for this text. What is not asked for stays as the server was
    started.
    """
    voice = asked.get("voice")
    if voice is not None and voice not in SPEAKERS:
        raise _bad(
            "voice",
            f"there is no voice {voice!r}; this server has {', '.join(SPEAKERS)}",
            code="voice_not_found",
        )
    options = {name: asked[name] for name in ("speed", "seed") if asked.get(name) is not None}
    for name, value in options.items():
        try:
            parse_options({name: value})
        except EngineError as error:
            raise _bad(name, str(error)) from None
    return options if voice is None else {**options, "speaker": voice}


def _bad(param: str | None, message: str, code: str | None = None) -> RefusedError:
    return RefusedError(400, message, param=param, code=code)

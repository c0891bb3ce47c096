"""
Parse the JSON of OpenAI's `POST /v1/audio/speech`, strictly.

`seed` and `region` are extensions of that API.
Unsupported fields and values (instructions, other formats, server-sent events) are rejected with
the reason; nothing in a request is ignored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxgate.engine.config import Language, Region, parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.response import STREAMABLE, AudioFormat
from voxgate.engine.text.checks import TextError, TextFault

FIELDS = ("model", "input", "voice", "response_format", "speed", "stream_format", "seed", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One text to synthesise; `options` are engine options for this text only."""

    text: str
    options: Mapping[str, object]
    audio_format: AudioFormat
    streamed: bool
    """Whether audio is sent as soon as it is playable."""
    language: Language = Language.EN
    """Of the server's voice."""


def parse_speech(
    body: bytes, model: str, max_characters: int, language: Language = Language.EN
) -> SpeechRequest:
    """
    Parse a request's body; `model` is the name of this server's model, `language` its voice's.

    Raises: ApiError for anything that is invalid or unsupported.
    """
    body_fields = _parse_object(body)
    if body_fields.get("instructions"):
        raise _bad_request(
            "instructions", "this voice follows no instructions; leave the field out"
        )
    unknown = sorted(set(body_fields) - {*FIELDS, "instructions"})
    if unknown:
        raise _bad_request(
            unknown[0], f"unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}"
        )
    if body_fields.get("model") != model:
        message = f"there is no model {body_fields.get('model')!r} here; this server has {model}"
        raise ApiError(404, message, param="model", code="model_not_found")
    audio_format = _parse_format(body_fields.get("response_format", AudioFormat.WAV.value))
    return SpeechRequest(
        text=_check_text(body_fields.get("input"), max_characters),
        options=_engine_options(body_fields, language),
        language=language,
        audio_format=audio_format,
        streamed=_parse_streaming(body_fields.get("stream_format"), audio_format),
    )


def check_speakable(speech: SpeechRequest) -> str:
    """
    Check that a text can be spoken, before it shares a batch with others; return the characters
    that will be left out, since they cannot be said.

    Raises: ApiError for a text that cannot be spoken; its code is the kind of fault.
    """
    from voxgate.engine.text.frontend import phonemise

    try:
        region = str(speech.options.get("region", Region.ES))
        chunks = phonemise(speech.text, language=speech.language, region=region)
        return chunks[0].dropped
    except TextError as error:
        raise _bad_request("input", str(error), code=str(error.kind)) from None
    except EngineError as error:
        raise _bad_request("input", str(error)) from None


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        body_fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad_request(None, f"the body is not valid JSON: {error}") from None
    if not isinstance(body_fields, dict):
        raise _bad_request(
            None, f"the body must be a JSON object, not {type(body_fields).__name__}"
        )
    return body_fields


def _check_text(text: object, max_characters: int) -> str:
    if not isinstance(text, str) or not text.strip():
        code = str(TextFault.EMPTY) if isinstance(text, str) else None
        raise _bad_request("input", "input must be text with at least one word", code=code)
    if len(text) > max_characters:
        raise _bad_request(
            "input",
            f"input has {len(text)} characters, the limit is {max_characters}; split it and speak "
            "the parts",
            code=str(TextFault.TOO_LONG),
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _bad_request(
            "input", "input holds half of a surrogate pair, which is no character; send it as UTF-8"
        )
    return text


def _parse_format(value: object) -> AudioFormat:
    if not isinstance(value, str) or value not in tuple(AudioFormat):
        raise _bad_request(
            "response_format",
            f"response_format cannot be {value!r}; this server sends {', '.join(AudioFormat)}",
        )
    return AudioFormat(value)


def _parse_streaming(value: object, audio_format: AudioFormat) -> bool:
    if value is None:
        return False
    if value != "audio":
        raise _bad_request(
            "stream_format",
            f"stream_format cannot be {value!r}; use audio, or leave it out for the whole at once",
        )
    if audio_format not in STREAMABLE:
        raise _bad_request(
            "response_format",
            f"{audio_format} cannot be streamed; use {' or '.join(STREAMABLE)}, or leave "
            "stream_format out",
        )
    return True


def _engine_options(body_fields: Mapping[str, Any], language: Language) -> dict[str, object]:
    """Return the engine options of this request; the others stay as at the server's start."""
    voice = body_fields.get("voice")
    if voice is not None and voice not in language.speakers:
        raise _bad_request(
            "voice",
            f"there is no voice {voice!r}; this server has {', '.join(language.speakers)}",
            code="voice_not_found",
        )
    options = {
        name: body_fields[name]
        for name in ("speed", "seed", "region")
        if body_fields.get(name) is not None
    }
    for name, value in options.items():
        try:
            parse_options({"language": language, name: value})
        except EngineError as error:
            raise _bad_request(name, str(error)) from None
    return options if voice is None else {**options, "speaker": voice}


def _bad_request(param: str | None, message: str, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)

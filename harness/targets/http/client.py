"""
A client of OpenAI's speech API, for any server that has it: sends a request, yields audio as it
arrives.

Knows HTTP; knows no cells and reads no clock. Each request opens a connection of its own, as a new
user would, and no proxy is used. A failure is a SpeechError with a kind, so that failures can be
counted.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from voxgate.harness.audio.files import LARGEST_FRAMES
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Option
from voxgate.harness.records.run import FailureKind
from voxgate.harness.targets.http.audio_decoder import (
    Audio,
    AudioReader,
    FormatError,
    check_rate,
    make_reader,
)
from voxgate.harness.targets.http.audio_format import HeaderFormat, format_of_headers

FORMS = ("wav", "pcm", "flac")
BYTE_ORDERS = ("little", "big")
"""Of bare PCM."""
API_RATE_HZ = 24_000
"""Of bare PCM, by the API's definition; a server that differs says so in its headers."""
SHOWN_CHARACTERS = 200
ANSWER_BYTES = 2**20
"""Of a list of models, or of a refusal; what a server sends beyond that is not read."""
LARGEST_WHOLE = 2**63 - 1
"""Of an option that a server tells."""
NAME_CHARACTERS = 200
"""
Of a model, a voice, an option or its value; longer ones, and those with control characters, are
ignored.
"""


class SpeechError(HarnessError):
    """
    A request returned no audio, or not all of it; `kind` says why, the text says more.
    """

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request; fields that are None are left to the server."""

    text: str
    model: str
    voice: str | None = None
    form: str = "wav"
    streamed: bool = True
    speed: float | None = None
    seed: int | None = None
    region: str | None = None
    byte_order: str = ""
    """Of bare PCM, for a server that sends another than its headers say; never sent."""

    def body(self) -> dict[str, object]:
        """Return the JSON body of the request."""
        further = {
            "voice": self.voice,
            "speed": self.speed,
            "seed": self.seed,
            "region": self.region,
        }
        streamed = {"stream_format": "audio"} if self.streamed else {}
        asked = {"model": self.model, "input": self.text, "response_format": self.form, **streamed}
        return {**asked, **{name: value for name, value in further.items() if value is not None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAudio:
    """Audio that arrived together, and its rate."""

    audio: Audio
    rate_hz: int
    dropped: str = ""
    """Characters of the text that the server left out, as its headers tell."""


class SpeechApi:
    """One server."""

    def __init__(self, url: str, timeout_s: float, key: str | None = None) -> None:
        """
        `timeout_s` bounds connecting, and every wait for more bytes. Raises HarnessError for a URL
        that is none.
        """
        client = _library()
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise HarnessError(
                f"server URL must begin with http:// or https:// and name a host, not {url!r}"
            )
        self.url = url.rstrip("/").removesuffix("/v1")
        self._timeout_s = timeout_s
        self._client = client.Client(
            headers={
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key}"} if key else {}),
            },
            timeout=timeout_s,
            limits=client.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def models(self) -> tuple[Mapping[str, Any], ...]:
        """
        Return the server's entries of its models, each name once; empty where it has no such page.
        Raises SpeechError.
        """
        with self._answer("GET", "/v1/models", None) as response:
            content = _content(response)
            if response.status_code in (404, 405):
                return ()
            _check_status(response.status_code, response.headers, content)
        try:
            entries = json.loads(content)["data"]
        except (ValueError, KeyError, TypeError, RecursionError):
            entries = None
        if not isinstance(entries, list):
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"{self.url}/v1/models gives no list of models: {_said(content)}",
            )
        return tuple(
            {
                each["id"]: each
                for each in entries
                if isinstance(each, dict) and is_name(each.get("id"))
            }.values()
        )

    def speak(self, ask: Ask) -> Iterator[ReceivedAudio]:
        """Request audio; yield each chunk as it arrives, at least one. Raises SpeechError."""
        with self._answer("POST", "/v1/audio/speech", ask.body()) as response:
            if response.status_code != 200:
                _check_status(response.status_code, response.headers, _content(response))
            announced = _check_type(response, ask.form)
            order = ask.byte_order or announced.pcm_order
            reader = make_reader(
                ask.form, announced.rate_hz or API_RATE_HZ, announced.rate_hz, order
            )
            heard = 0
            dropped = reported_dropped(response.headers)
            for piece in _pieces(response, reader, dropped):
                heard += piece.audio.size
                if heard > LARGEST_FRAMES:
                    raise SpeechError(
                        FailureKind.BAD_FORMAT,
                        f"the server sent more than {LARGEST_FRAMES} frames for one text",
                    )
                yield piece
        if not heard:
            raise SpeechError(
                FailureKind.NO_AUDIO, "the server answered without a single frame of audio"
            )

    @contextmanager
    def _answer(self, method: str, path: str, body: Mapping[str, object] | None) -> Iterator[Any]:
        client = _library()
        try:
            with self._client.stream(method, self.url + path, json=body) as response:
                yield response
        except client.TimeoutException:
            raise SpeechError(
                FailureKind.TIMEOUT,
                f"{self.url} did not answer, or paused, for {self._timeout_s:g} s",
            ) from None
        except client.ConnectError as error:
            raise SpeechError(
                FailureKind.NO_CONNECTION,
                f"{self.url} cannot be reached ({error}); start the server first",
            ) from None
        except client.DecodingError as error:
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"{self.url} sent what is not encoded as its headers say: {error}",
            ) from None
        except (client.RequestError, client.InvalidURL) as error:
            raise SpeechError(
                FailureKind.BROKEN_OFF,
                f"{self.url} broke off: {str(error) or type(error).__name__}",
            ) from None
        except FormatError as error:
            raise SpeechError(FailureKind.BAD_FORMAT, str(error)) from None


def reported_options(card: Mapping[str, Any]) -> dict[str, Option]:
    """
    Return the options in a model's entry, as the engine's own server lists them; empty where there
    are none.
    """
    options = card.get("options")
    if not isinstance(options, Mapping):
        return {}
    return {name: value for name, value in options.items() if is_name(name) and _is_option(value)}


def reported_voices(card: Mapping[str, Any]) -> list[str] | None:
    """Return the voices that a model's entry lists; None where it lists none."""
    voices = card.get("voices")
    return [voice for voice in voices if is_name(voice)] if isinstance(voices, list) else None


def reported_limits(card: Mapping[str, Any]) -> dict[str, Option] | None:
    """Return the limits in a model's entry; None where there are none."""
    return reported_options({"options": card.get("limits")}) or None


def is_name(value: object) -> bool:
    """Whether a value can be a name: some printable characters, and not too many."""
    return isinstance(value, str) and 0 < len(value) <= NAME_CHARACTERS and value.isprintable()


def _is_option(value: object) -> bool:
    if isinstance(value, str):
        return value == "" or is_name(value)
    if isinstance(value, int):
        return abs(value) <= LARGEST_WHOLE
    return isinstance(value, float) and math.isfinite(value)


def reported_dropped(headers: Mapping[str, str]) -> str:
    """
    Return the characters that a server left out of a text, by its header `X-Voxgate-Dropped`; empty
    where there is none, or nothing that can be read.

    >>> reported_dropped({"x-voxgate-dropped": '{"count": 2, "characters": "\\u65e5#"}'}) == "日#"
    True
    """
    try:
        told = json.loads(str(headers.get("x-voxgate-dropped", ""))[: 16 * NAME_CHARACTERS])
    except (ValueError, RecursionError):
        return ""
    characters = told.get("characters") if isinstance(told, dict) else None
    return characters[:NAME_CHARACTERS] if isinstance(characters, str) else ""


def _pieces(response: Any, reader: AudioReader, dropped: str) -> Iterator[ReceivedAudio]:
    for received in response.iter_raw():
        audio = reader.feed(received)
        if audio.size:
            yield ReceivedAudio(audio=audio, rate_hz=reader.rate_hz, dropped=dropped)
    ending = reader.end()
    if ending.size:
        yield ReceivedAudio(audio=ending, rate_hz=reader.rate_hz, dropped=dropped)


def _check_type(response: Any, form: str) -> HeaderFormat:
    """
    Return the audio's format by the headers. Raises SpeechError for a response that is no audio, or
    not the requested one.
    """
    announced = format_of_headers({name.lower(): value for name, value in response.headers.items()})
    if re.fullmatch(r"text/.*|application/(.*\+)?(json|xml)", announced.media):
        said = _said(_content(response))
        raise SpeechError(
            FailureKind.BAD_FORMAT,
            f"the server sent {announced.media[:NAME_CHARACTERS]} in place of audio: {said}",
        )
    encoding = str(response.headers.get("content-encoding", "identity")).strip().lower()
    if encoding not in ("", "identity"):
        raise SpeechError(
            FailureKind.BAD_FORMAT,
            f"the server sent Content-Encoding {encoding[:NAME_CHARACTERS]}, though identity was "
            "asked for",
        )
    if announced.rate_hz is not None:
        check_rate(announced.rate_hz, None, "audio, as the server tells,")
    if form == "pcm":  # which has no mark of its own, so that the headers count
        _check_frames(announced)
    return announced


def _check_frames(announced: HeaderFormat) -> None:
    """
    Raise SpeechError where headers announce bare PCM other than the API's: 16 bits, one channel.
    """
    if announced.form not in (None, "pcm"):
        raise SpeechError(
            FailureKind.BAD_FORMAT,
            f"asked for bare PCM, the server sent {announced.media[:NAME_CHARACTERS]}",
        )
    for name, value, expected in (
        ("channels", announced.channels, 1),
        ("bits", announced.bits, 16),
    ):
        if value not in (None, expected):
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"asked for bare PCM with {expected} {name}, the server sent {value}",
            )


def _check_status(status: int, headers: Mapping[str, str], content: bytes) -> None:
    """Raise SpeechError for every status but 200."""
    if status == 200:
        return
    said = f"HTTP {status}: {_said(content)}"
    if status == 429:
        later = headers.get("retry-after")
        raise SpeechError(FailureKind.BUSY, said + (f" (Retry-After: {later} s)" if later else ""))
    kind = FailureKind.SERVER_ERROR if status >= 500 else FailureKind.REFUSED
    raise SpeechError(kind, said)


def _content(response: Any) -> bytes:
    """Read a response that is no audio, up to ANSWER_BYTES."""
    content = bytearray()
    for received in response.iter_bytes():
        content += received
        if len(content) > ANSWER_BYTES:
            break
    return bytes(content[:ANSWER_BYTES])


def _said(content: bytes) -> str:
    """Return the server's own sentence, from OpenAI's shape of errors or from whatever it sent."""
    try:
        text = str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = content[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace")
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN_CHARACTERS])
    return " ".join(printable.split())[:SHOWN_CHARACTERS] or "no reason given"


def _library() -> Any:
    """Import the HTTP client. Raises HarnessError where it is not installed."""
    try:
        import httpx2
    except ImportError:
        raise HarnessError(
            "speaking HTTP needs the package httpx2; install voxgate[http]"
        ) from None
    return httpx2

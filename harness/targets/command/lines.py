"""
A program that stays alive and is talked to by lines, so that loading is not measured with each
text. `docs/line-protocol.md` specifies the lines.

The program writes `{"voxgate": 1, "sample_rate_hz": ...}` when it is ready. It is sent a line for
each text, and answers with audio, in pieces of 16-bit frames or as a WAV file at the path it was
given, and a last line. What it claims of itself is kept as a claim. Every failure is a SpeechError
with a kind.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np

from voxgate.harness.audio.files import LARGEST_FRAMES, Audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Name, Option, Request
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Length, Range
from voxgate.harness.records.documents import parse_json
from voxgate.harness.records.run import MOST_NOTICES, FailureKind, SynthesisNotice, Time
from voxgate.harness.targets.command.once import decode_wav, read_output
from voxgate.harness.targets.command.process import Folders, Orphans, Program, printable
from voxgate.harness.targets.http.audio_decoder import LEAST_HZ, MOST_HZ
from voxgate.harness.targets.http.client import SpeechError, reported_options

VERSION = 1
LINE_BYTES = 2**20
"""Of a line from the program."""
PIECE_BYTES = 2**26
SHOWN_BYTES = 60
Message = TypeVar("Message")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHello:
    """How a program takes live audio: at which rate, and with which algorithmic latency."""

    sample_rate_hz: Annotated[int, Range(LEAST_HZ, MOST_HZ)]
    latency_s: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first line of a program: it is ready."""

    voxgate: int
    sample_rate_hz: Annotated[int, Range(LEAST_HZ, MOST_HZ)]
    options: tuple[Name, ...] | None = None
    """Names of the options that it takes; None where it does not tell."""
    stages: tuple[Name, ...] = ()
    """It will claim how long each of these took."""
    effective: Mapping[str, Option] = field(default_factory=dict)
    """Options as it claims to have resolved them."""
    reels: bool = False
    """It speaks requests with segments, each by its speaker, and tells where each one stands."""
    sources: bool = False
    """It converts the recording that a request holds."""
    live: LiveHello | None = None
    """It converts a source that comes live, and is sent none as a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCaption:
    """Where a segment of a reel stands in the audio, in seconds."""

    start_s: Time
    end_s: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A line of an answer: a piece of audio, an error, or the end."""

    pcm: Annotated[int | None, Range(0, PIECE_BYTES)] = None
    """Bytes of audio that follow the line."""
    done: bool = False
    wav: str | None = None
    """The path of the file that holds the audio: the one that was given."""
    error: str | None = None
    stages_s: Mapping[str, Time] = field(default_factory=dict)
    effective: Mapping[str, Option] = field(default_factory=dict)
    captions: tuple[SpokenCaption, ...] | None = None
    """Of a reel: where each segment stands."""
    notices: Annotated[tuple[SynthesisNotice, ...], Length(0, MOST_NOTICES)] = ()
    """What it claims a listener would not expect of this audio."""


class LineEngine:
    """A program that stays alive, from its first line to its end."""

    def __init__(self, words: Sequence[str]) -> None:
        """
        Start it, and wait until it is ready. Raises SpeechError for a program that does not speak
        the protocol.
        """
        self._orphans, self._folders = Orphans(), Folders()
        self._pending = b""
        self._program = Program(words, subprocess.PIPE)
        self.last = Reply()
        """The last line of the last answer."""
        try:
            self.hello = self._hello()
        except BaseException:
            self.close()
            raise
        self.rate_hz = self.hello.sample_rate_hz

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._program.pid

    def speak(self, request: Request, values: Mapping[str, Option]) -> Iterator[Audio]:
        """Send a text, and yield the audio of the answer piece by piece. Raises SpeechError."""
        source = {} if request.source is None else {"source": request.source.path}
        yield from self._answer(self._ask(request, values, source))

    def convert(
        self, request: Request, values: Mapping[str, Option], packets: Iterator[np.ndarray]
    ) -> Iterator[Audio]:
        """
        Send a source packet by packet; yield the audio that answers each one, and the rest. Raises
        SpeechError.
        """
        wav = self._ask(request, values, {"live": True})
        heard = 0
        for packet in packets:
            pcm = np.clip(np.rint(packet * 32768.0), -32768, 32767).astype("<i2").tobytes()
            self._check_answered()
            self._program.write(json.dumps({"pcm": len(pcm)}).encode() + b"\n" + pcm)
            reply = self._message(Reply, "its answer to a packet")
            if reply.done:
                raise self._bad("was done before its source had ended")
            piece = self._piece(reply, heard)
            heard += 2 * len(piece)
            if len(piece):
                yield piece
        self._check_answered()
        self._program.write(b'{"end": true}\n')
        yield from self._answer(wav, heard)

    def _check_answered(self) -> None:
        """Raise SpeechError for output beyond the answers that were read."""
        if self._pending or self._program.has_output():
            raise self._bad("answered a packet with more than one piece")

    def _ask(
        self, request: Request, values: Mapping[str, Option], more: Mapping[str, object]
    ) -> Path:
        """Send a request; return where a file of its audio would be."""
        self.last = Reply()
        if self._pending:
            raise self._bad(f"went on behind its answer, with {self._pending[:SHOWN_BYTES]!r}")
        wav = self._folders.fresh() / "speech.wav"
        asked: dict[str, object] = {
            "id": request.id,
            "text": request.text,
            "language": request.language,
            "options": dict(values),
            "wav": str(wav),
        }
        if request.segments:
            asked["segments"] = [{"speaker": s.speaker, "text": s.text} for s in request.segments]
        self._program.write(json.dumps({**asked, **more}).encode() + b"\n")
        return wav

    def claims(self) -> dict[str, Option]:
        """Return the options that it claims to be in effect, as of its last answer."""
        claimed = {**self.hello.effective, **self.last.effective}
        return reported_options({"options": claimed})

    def tidy(self) -> None:
        """End and remove what it left behind."""
        self._orphans.end(self.pid)
        self._folders.empty()

    def close(self) -> None:
        """Kill it."""
        self._program.kill()
        self._orphans.end()

    def _answer(self, wav: Path, heard: int = 0) -> Iterator[Audio]:
        """Yield the audio of an answer, `heard` bytes of which have come."""
        while not (reply := self._message(Reply, "its answer")).done:
            piece = self._piece(reply, heard)
            heard += 2 * len(piece)
            if len(piece):
                yield piece
        self._check_end(reply, wav, heard)
        if reply.wav is not None:
            audio, rate_hz = decode_wav(read_output(wav, self._program), self._program.name)
            if rate_hz != self.rate_hz:
                raise self._bad(f"wrote {rate_hz} Hz, and announced {self.rate_hz} Hz")
            yield audio
        self.last = reply

    def _piece(self, reply: Reply, heard: int) -> Audio:
        """Return the piece of audio behind a line, which may be empty. Raises SpeechError."""
        if reply.error is not None:
            said = f"{self._program.name} refused: {printable(reply.error)}"
            raise SpeechError(FailureKind.ERROR, said)
        if reply.pcm is None:
            raise self._bad("sent a line that is neither pcm, nor error, nor done")
        heard += reply.pcm
        if heard > 2 * LARGEST_FRAMES or reply.pcm % 2:
            raise self._bad(f"announced {reply.pcm} bytes of audio, {heard} in all")
        pcm = np.frombuffer(self._bytes(reply.pcm), dtype="<i2")
        return np.asarray(pcm.astype(np.float32) / np.float32(32768.0))

    def _check_end(self, reply: Reply, wav: Path, heard: int) -> None:
        """Raise SpeechError for a last line that contradicts the answer."""
        if reply.wav is None and not heard:
            said = f"{self._program.name} answered without audio{self._program.last_words}"
            raise SpeechError(FailureKind.NO_AUDIO, said)
        if reply.wav is not None and (heard or reply.wav != str(wav)):
            raise self._bad("named another file than the one it was given, or sent audio as well")
        foreign = sorted(set(reply.stages_s) - set(self.hello.stages))
        if foreign:
            raise self._bad(f"claims a time for the stage {foreign[0]}, which it did not announce")

    def _hello(self) -> Hello:
        hello = self._message(Hello, "its first line")
        if hello.voxgate != VERSION:
            raise self._bad(f"speaks version {hello.voxgate} of the lines; known is {VERSION}")
        return hello

    def _message(self, kind: type[Message], what: str) -> Message:
        where = f"{self._program.name}, {what}"
        try:
            data = parse_json(self._line(), where)
            return from_json(kind, data, where, ignore_unknown=True)
        except SpeechError:
            raise
        except HarnessError as error:
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"{printable(str(error))}; what is no line of the protocol belongs to standard "
                "error",
            ) from error

    def _line(self) -> bytes:
        while b"\n" not in self._pending:
            if len(self._pending) > LINE_BYTES:
                raise self._bad(f"sent a line of more than {LINE_BYTES} bytes")
            self._receive()
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _bytes(self, count: int) -> bytes:
        parts, size = [self._pending], len(self._pending)
        while size < count:
            self._pending = b""
            self._receive()
            parts.append(self._pending)
            size += len(self._pending)
        whole = b"".join(parts)
        self._pending = whole[count:]
        return whole[:count]

    def _receive(self) -> None:
        """Add what arrives to what is pending. Raises SpeechError where the program has ended."""
        received = self._program.read()
        if received:
            self._pending += received
            return
        fault = self._program.fault(self._program.end())
        half = " in the middle of a line" if self._pending else ""
        said = str(fault) if fault else f"{self._program.name} ended{self._program.last_words}"
        killed = fault is not None and fault.kind is FailureKind.KILLED
        kind = FailureKind.KILLED if killed else FailureKind.DIED
        raise SpeechError(kind, f"{said}{half and f' ({half.strip()})'}")

    def _bad(self, what: str) -> SpeechError:
        return SpeechError(
            FailureKind.BAD_FORMAT, f"{self._program.name} {what}{self._program.last_words}"
        )

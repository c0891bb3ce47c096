"""
A program that is started for each text, and ends when it has spoken it.

The text is an argument, a file, or standard input; the audio is the WAV file at the path that was
given, or a WAV file on standard output, which is decoded as it arrives. Each text has a fresh
folder of its own, removed afterwards. What the program leaves in it is data: no link is followed,
nothing but a file of limited size is read. Every failure is a SpeechError with a kind.
"""

import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import soundfile

from voxgate.harness.audio.files import LARGEST_FRAMES, Audio, decode_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Option, Request
from voxgate.harness.records.command_line import (
    LANGUAGE,
    SOURCE,
    TEXT,
    TEXT_FILE,
    WAV,
    CommandLine,
)
from voxgate.harness.records.run import FailureKind
from voxgate.harness.targets.command.process import LOOK_S, Folders, Orphans, Program, TreeLook
from voxgate.harness.targets.http.audio_decoder import FILE_BYTES, WavReader, check_rate
from voxgate.harness.targets.http.audio_format import WAV_HEAD, format_of
from voxgate.harness.targets.http.client import SpeechError

OBSERVE_S = 0.01
"""How often the process tree is looked at in a synthesis under observation."""
HEAD_BYTES = 4_096


class OneShot:
    """A command line, started anew for each text."""

    def __init__(self, command: CommandLine) -> None:
        self._command = command
        self._orphans, self._folders = Orphans(), Folders()
        self.rate_hz = 0
        """Of the audio so far; 0 before there was any."""

    def speak(
        self, request: Request, values: Mapping[str, Option], tree: TreeLook | None = None
    ) -> Iterator[Audio]:
        """
        Start the program, and yield its audio: as it arrives on standard output, or at the end.

        `tree` is looked at while it runs. Raises SpeechError.
        """
        folder = self._folders.fresh()
        wav, text = folder / "speech.wav", folder / "text.txt"
        text.write_text(request.text + "\n", encoding="utf-8")
        places = {TEXT: request.text, TEXT_FILE: str(text), WAV: str(wav)}
        source = "" if request.source is None else request.source.path
        filled = {**values, **places, LANGUAGE: request.language, SOURCE: source}
        words = self._command.fill(filled)
        with Path(text if self._command.reads_stdin else os.devnull).open("rb") as stdin:
            program = Program(words, stdin)
        try:
            look = _look(program, wav, tree)
            every_s = LOOK_S if tree is None else OBSERVE_S
            writes = WAV in self._command.names
            speech = self._at_the_end if writes else self._as_it_arrives
            yield from speech(program, wav, look, every_s)
        finally:
            program.kill()

    def tidy(self) -> None:
        """End and remove what programs left behind; it takes milliseconds that are not timed."""
        self._orphans.end()
        self._folders.empty()

    def _at_the_end(
        self, program: Program, wav: Path, look: Callable[[], None], every_s: float
    ) -> Iterator[Audio]:
        """Wait for the end, and read the file."""
        while program.read(look, every_s):
            look()
        fault = program.fault(program.end())
        if fault is not None:
            raise fault
        audio, rate_hz = decode_wav(read_output(wav, program), program.name)
        self._keep_rate(rate_hz, program)
        yield audio

    def _as_it_arrives(
        self, program: Program, _: Path, look: Callable[[], None], every_s: float
    ) -> Iterator[Audio]:
        """Decode standard output; an exit code counts for more than what is wrong with audio."""
        reader, heard, is_silent = WavReader(), 0, True
        try:
            while received := program.read(look, every_s):
                is_silent = False
                audio = reader.feed(received)
                heard += audio.size
                _check_size(heard, program)
                if audio.size:
                    self._keep_rate(reader.rate_hz, program, reader.channels)
                    yield audio
            fault = program.fault(program.end())
            if fault is not None:
                raise fault
            if is_silent:
                said = f"{program.name} ended well and wrote nothing to standard output"
                raise SpeechError(FailureKind.NO_AUDIO, said + program.last_words)
            reader.end()
        except HarnessError as error:
            raise _bad(error, program) from error
        if not heard:
            raise SpeechError(
                FailureKind.NO_AUDIO, f"{program.name} wrote a WAV file without audio"
            )

    def _keep_rate(self, rate_hz: int, program: Program, channels: int = 1) -> None:
        """Remember the rate. Raises SpeechError for one that changes, and for several channels."""
        if channels != 1:
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"{program.name} wrote {channels} channels; a voice has one: have it write mono",
            )
        if self.rate_hz not in (0, rate_hz):
            raise SpeechError(
                FailureKind.BAD_FORMAT,
                f"{program.name} wrote {rate_hz} Hz, and {self.rate_hz} Hz before",
            )
        self.rate_hz = rate_hz


def read_output(path: Path, program: Program) -> bytes:
    """
    Read the file that a program was to write: a plain one, not too large, no link. Raises
    SpeechError.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SpeechError(
            FailureKind.NO_AUDIO,
            f"{program.name} ended well and wrote no file at the path of {{wav}}"
            f"{program.last_words}",
        ) from None
    except OSError as error:
        said = f"{program.name} left at the path of {{wav}} what is no file: {error.strerror}"
        raise SpeechError(FailureKind.BAD_FORMAT, said) from None
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            said = f"{program.name} left at the path of {{wav}} what is no plain file"
            raise SpeechError(FailureKind.BAD_FORMAT, said)
        if status.st_size > FILE_BYTES:
            raise _too_large(program)
        with os.fdopen(number, "rb", closefd=False) as file:
            content = file.read(FILE_BYTES + 1)
    finally:
        os.close(number)
    if not content:
        said = f"{program.name} wrote an empty file{program.last_words}"
        raise SpeechError(FailureKind.NO_AUDIO, said)
    return content


def decode_wav(content: bytes, name: str) -> tuple[Audio, int]:
    """Return the audio of a whole WAV file of one channel, and its rate. Raises SpeechError."""
    try:
        if not WAV_HEAD.match(content):
            named = format_of(content[:HEAD_BYTES])
            raise HarnessError(
                f"no WAV file: it begins with {content[:12]!r}{f' ({named})' if named else ''}"
            )
        audio, rate_hz = decode_audio(io.BytesIO(content))
        check_rate(rate_hz, None, "WAV file")
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            channels = file.channels
    except HarnessError as error:
        raise SpeechError(
            FailureKind.BAD_FORMAT, f"{name} wrote a bad WAV file: {error}"
        ) from error
    if channels != 1:
        raise SpeechError(
            FailureKind.BAD_FORMAT,
            f"{name} wrote {channels} channels; a voice has one: have it write mono",
        )
    if not audio.size:
        raise SpeechError(FailureKind.NO_AUDIO, f"{name} wrote a WAV file without audio")
    return audio, rate_hz


def _look(program: Program, wav: Path, tree: TreeLook | None) -> Callable[[], None]:
    """Return what is done while waiting: watch the size of the file, and the process tree."""

    def look() -> None:
        if tree is not None:
            tree.look(program.pid)
        try:
            size = os.lstat(wav).st_size
        except OSError:
            return
        if size > FILE_BYTES:
            raise _too_large(program)

    if tree is not None:
        tree.look(program.pid)
    return look


def _check_size(heard: int, program: Program) -> None:
    if heard > LARGEST_FRAMES:
        raise _too_large(program)


def _too_large(program: Program) -> SpeechError:
    return SpeechError(
        FailureKind.BAD_FORMAT,
        f"{program.name} wrote more than {FILE_BYTES >> 20} MiB for one text, and was ended",
    )


def _bad(error: HarnessError, program: Program) -> SpeechError:
    """Return a SpeechError as it is, and another error as one of the audio's format."""
    if isinstance(error, SpeechError):
        return error
    return SpeechError(FailureKind.BAD_FORMAT, f"{program.name}: {error}{program.last_words}")

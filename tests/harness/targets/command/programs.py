"""Programs that speak, and break: small scripts, each a process of its own."""

import sys
from pathlib import Path

from voxgate.harness.records.cell import Cell, Option, Request, Workload
from voxgate.harness.records.command_line import CommandLine, command_line

SPEECH = '''
import array, io, json, math, os, sys, time, wave


def frames(text, pitch_hz=120, seed=0):
    """The audio of a text: 16-bit frames at 16 kHz, another one for another seed."""
    per_frame = 6.2832 * (pitch_hz + seed) / 16000
    heights = (int(8000 * math.sin(per_frame * i)) for i in range(800 * len(text)))
    return array.array("h", heights).tobytes()


def write(path, text, channels=1, rate_hz=16000, **how):
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(frames(text, **how) * channels)


def say(text):
    """Write a WAV file to standard output."""
    file = io.BytesIO()
    write(file, text)
    os.write(1, file.getvalue())


def option(name, default=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default
'''
HONEST = 'write(option("--out"), option("--text"), seed=int(option("--seed", 0)))\n'
RATE_HZ = 16_000
REQUEST = Request(id="r1", text="One.")
WORDS = ("--text", "{text}", "--out", "{wav}")


def program(folder: Path, code: str, name: str = "mytts") -> str:
    """Write an executable script, and return its path."""
    path = folder / name
    path.write_text(f"#!{sys.executable} -IS\n{SPEECH}\n{code}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def line(*words: str, protocol: str = "once", **arguments: list[str]) -> CommandLine:
    return command_line(words, arguments, protocol)


def cell(command: CommandLine | None, request: Request = REQUEST, **options: Option) -> Cell:
    return Cell(
        suite="s",
        target="command",
        pipeline="once",
        workload=Workload(name="w", requests=(request,)),
        axes={},
        fixed=options,
        command=command,
    )

"""`python -m engine say "Text" -o out.wav [--option value]`: the engine for a person, with stage times; `serve`: over HTTP."""

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from engine.config import OPTIONS, FlowConfig, parse_words
from engine.errors import EngineError
from engine.serve.limits import Limits, parse_limits
from engine.timing import StageTimes


def _engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    defaults = FlowConfig()
    for field in reversed(fields(FlowConfig)):
        default = str(getattr(defaults, field.name))
        name = "--" + field.name.replace("_", "-")
        command = click.option(name, field.name, help=f"default {default}")(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Speak with the embedded voice."""


@main.command()
@click.argument("text")
@click.option("-o", "--output", default="out.wav", show_default=True, help="audio file to write: .wav or .flac")
@click.option("--voice", default=None, help="folder of another voice's weights")
@_engine_options
def say(text: str, output: str, voice: str | None, **words: str | None) -> None:
    """Speak TEXT into an audio file and print what it cost."""
    try:
        _say(text, Path(output), voice, {name: word for name, word in words.items() if word is not None})
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _say(text: str, output: Path, voice: str | None, words: dict[str, str]) -> None:
    config = parse_words(words)
    _check_output(output)
    loading = StageTimes()
    from engine.pipelines.flow import FlowPipeline
    from engine.weights.voice import DEFAULT_VOICE

    asked = {name: getattr(config, name) for name in OPTIONS}
    pipeline = FlowPipeline.load(asked, Path(voice) if voice else DEFAULT_VOICE)
    load_s = loading.total_s()
    times = StageTimes()
    audio = pipeline.synthesize(text, watch=times.watch)
    wall_s = times.total_s()
    _write(output, audio, pipeline.sample_rate_hz)
    _print_costs(pipeline, times, load_s, wall_s, audio.size / pipeline.sample_rate_hz)
    click.echo(f"wrote {output}")


def _check_output(output: Path) -> None:
    """Refuse an output that cannot be written before any work is done."""
    if output.suffix.lower() not in (".wav", ".flac"):
        raise EngineError(f"output {output} must end in .wav or .flac")
    if not output.parent.is_dir():
        raise EngineError(f"output folder {output.parent} does not exist; make it first")
    if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
        raise EngineError(f"output {output} cannot be written; choose another path")


def _write(output: Path, audio: Any, sample_rate_hz: int) -> None:
    import soundfile

    try:
        soundfile.write(output, audio, sample_rate_hz, subtype="PCM_16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise EngineError(f"output {output} could not be written ({error}); is the disk full?") from None


def _print_costs(pipeline: Any, times: StageTimes, load_s: float, wall_s: float, audio_s: float) -> None:
    for applied in pipeline.applied:
        click.echo(f"{applied.option:16} {applied.asked:14} {applied.what}")
    click.echo(f"load     {load_s * 1e3:9.1f} ms")
    for stage, seconds in times.seconds.items():
        click.echo(f"{stage:8} {seconds * 1e3:9.1f} ms  {100 * seconds / wall_s:5.1f} %")
    speed = f"rtf {wall_s / audio_s:.3f}   rtfx {audio_s / wall_s:.2f}"
    click.echo(f"total    {wall_s * 1e3:9.1f} ms for {audio_s:.2f} s of audio   {speed}")


def _limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for field in reversed(fields(Limits)):
        name = "--" + field.name.replace("_", "-")
        command = click.option(name, field.name, help=f"default {field.default}")(command)
    return command


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on; others can reach 0.0.0.0")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes any free one")
@click.option("--voice", default=None, help="folder of another voice's weights")
@_limit_options
@_engine_options
def serve(host: str, port: int, voice: str | None, **words: str | None) -> None:
    """Speak for others: OpenAI's speech API at http://HOST:PORT/v1/audio/speech."""
    typed = {name: word for name, word in words.items() if word is not None}
    bounds = {name: typed.pop(name) for name in [field.name for field in fields(Limits)] if name in typed}
    try:
        limits, config = parse_limits(bounds), parse_words(typed)
        _server()(config, Path(voice) if voice else None, limits, host, port)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _server() -> Callable[..., None]:
    """Import what serves. Raises EngineError where its packages are not installed."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise EngineError(f"serve needs the package {error.name}; install voxgate[serve]") from None
    from engine.serve.server import serve as run

    return run


if __name__ == "__main__":
    main()

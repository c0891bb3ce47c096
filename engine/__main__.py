"""
`python -m engine say "Text" -o out.wav [--option value]`: the engine for a person, with its stage times.

`python -m engine export FOLDER` writes its models as ONNX files.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from engine.config import OPTIONS, FlowConfig, Stages, parse_words
from engine.errors import EngineError
from engine.passes.refuse_runtime import check_packages
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


@main.command("export")
@click.argument("folder")
@click.option("--stage", default="both", type=click.Choice([*map(str, Stages)]), show_default=True, help="which model")
@click.option("--voice", default=None, help="folder of another voice's weights")
def export_models(folder: str, stage: str, voice: str | None) -> None:
    """Write the models as ONNX files into FOLDER, and print how far they are from torch."""
    try:
        check_packages("export")
        from engine.export import export_voice
        from engine.weights.voice import DEFAULT_VOICE

        export_voice(Path(folder), Stages(stage), Path(voice) if voice else DEFAULT_VOICE, click.echo)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


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


if __name__ == "__main__":
    main()

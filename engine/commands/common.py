"""What the commands that make audio share: engine options, the output file, the printed costs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from voxgate.engine.config import config_class, options_of, parse_typed
from voxgate.engine.config.page import help_of
from voxgate.engine.errors import EngineError
from voxgate.engine.timing import StageTimes

Command = Callable[..., Any]


def engine_options(*pipelines: str, without: str = "") -> Callable[[Command], Command]:
    """Add the engine options of some pipelines to a command, all but one where that is named."""
    every = [name for pipeline in pipelines for name in options_of(config_class(pipeline))]
    names = [name for name in every if name != without]

    def decorate(command: Command) -> Command:
        for name in reversed(dict.fromkeys(names)):
            flag = "--" + name.replace("_", "-")
            command = click.option(flag, name, help=help_of(name, pipelines))(command)
        return command

    return decorate


def loader_of(name: str, voice: str | None, words: dict[str, str]) -> Callable[[], Any]:
    """Check the options; return a function that loads the pipeline."""
    config = parse_typed(config_class(name), words)
    options = {option: getattr(config, option) for option in options_of(type(config))}

    def load() -> Any:
        from voxgate.engine.pipelines import pipeline_class

        return pipeline_class(name).load(options, Path(voice) if voice else None)

    return load


def check_output(output: Path) -> None:
    """Check that the output can be written, before any work is done."""
    if output.suffix.lower() not in (".wav", ".flac"):
        raise EngineError(f"output {output} must end in .wav or .flac")
    check_place(output)


def check_place(output: Path) -> None:
    """Check that the file can be written where it is named."""
    if not output.parent.is_dir():
        raise EngineError(f"output folder {output.parent} does not exist; make it first")
    if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
        raise EngineError(f"output {output} cannot be written; choose another path")


def write(output: Path, audio: Any, sample_rate_hz: int) -> None:
    """Write mono audio as 16-bit samples; the suffix names the format."""
    import soundfile

    try:
        soundfile.write(output, audio, sample_rate_hz, subtype="PCM_16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise EngineError(
            f"output {output} could not be written ({error}); is the disk full?"
        ) from None


def print_costs(
    pipeline: Any, times: StageTimes, load_s: float, wall_s: float, audio_s: float
) -> None:
    """Print the effect of each pass, the time of each stage, and the real-time factor."""
    for applied in pipeline.applied:
        click.echo(f"{applied.option:21} {applied.requested:14} {applied.effect}")
    click.echo(f"load     {load_s * 1e3:9.1f} ms")
    for stage, seconds in times.seconds.items():
        click.echo(f"{stage:8} {seconds * 1e3:9.1f} ms  {100 * seconds / wall_s:5.1f} %")
    speed = f"rtf {wall_s / audio_s:.3f}   rtfx {audio_s / wall_s:.2f}"
    click.echo(f"total    {wall_s * 1e3:9.1f} ms for {audio_s:.2f} s of audio   {speed}")


def print_notices(pipeline: Any, unit: str = "") -> None:
    """
    Print what the last synthesis has to tell, a line each; `unit` is what each of several texts is.
    What was left out of the text goes to standard error: the audio lacks it.
    """
    for notice in pipeline.notices:
        where = f"{unit} {notice.number + 1}: " if unit else ""
        if notice.kind == "dropped":
            click.echo(f"engine: {where}{notice.line()}", err=True)
        else:
            click.echo(f"note     {where}{notice.line()}")

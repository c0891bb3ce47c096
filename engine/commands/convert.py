"""`python -m voxgate.engine convert in.wav --speaker rms -o out.wav`: a recording's words anew."""

import sys
from pathlib import Path

import click

from voxgate.engine.commands.common import (
    check_output,
    engine_options,
    loader_of,
    print_costs,
    write,
)
from voxgate.engine.config.conversion import converting_pipelines
from voxgate.engine.errors import EngineError
from voxgate.engine.timing import StageTimes


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default="out.wav",
    show_default=True,
    help="audio file to write: .wav or .flac",
)
@click.option("--voice", default=None, help="folder of another voice's weights")
@click.option(
    "--pipeline",
    type=click.Choice(converting_pipelines()),
    default=converting_pipelines()[0],
    show_default=True,
    help="conversion: the embedded voice",
)
@engine_options(*converting_pipelines(), without="source")
def convert(
    source: Path, output: str, voice: str | None, pipeline: str, **words: str | None
) -> None:
    """Convert the recording SOURCE into another voice, and print the time of every stage."""
    typed = {name: word for name, word in words.items() if word is not None}
    try:
        _convert(source, Path(output), voice, pipeline, typed)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _convert(
    source: Path, output: Path, voice: str | None, name: str, words: dict[str, str]
) -> None:
    load = loader_of(name, voice, words)
    check_output(output)
    if output.exists() and source.exists() and output.samefile(source):
        raise EngineError(f"output {output} is the source itself; name another file")
    loading = StageTimes()
    pipeline = load()
    load_s = loading.total_s()
    times = StageTimes()
    converted = pipeline.convert_file(str(source), watch=times.watch)
    wall_s = times.total_s()
    write(output, converted.audio, converted.sample_rate_hz)
    print_costs(pipeline, times, load_s, wall_s, converted.audio.size / converted.sample_rate_hz)
    if converted.likeness is not None:
        click.echo(f"likeness {converted.likeness:.3f} of the source to the training voices")
    if converted.warning:
        click.echo(f"engine: {converted.warning}", err=True)
    click.echo(f"wrote {output}")

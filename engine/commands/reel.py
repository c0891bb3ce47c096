"""`python -m voxgate.engine reel`: several speakers as one recording, with captions."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from voxgate.engine.commands.common import (
    check_output,
    check_place,
    engine_options,
    loader_of,
    print_costs,
    print_notices,
    write,
)
from voxgate.engine.config import config_class
from voxgate.engine.config.reels import (
    PAUSE_S,
    SPEAKER,
    check_pause,
    check_segments,
    reel_pipelines,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.timing import StageTimes


@click.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default="reel.wav",
    show_default=True,
    help="audio file to write: .wav or .flac",
)
@click.option(
    "--captions",
    multiple=True,
    metavar="FILE",
    help="captions to write: .srt, .vtt or .json; may be given more than once",
)
@click.option(
    "--pause",
    type=float,
    default=PAUSE_S,
    show_default=True,
    metavar="SECONDS",
    help="between two segments; 0 joins them by a crossfade",
)
@click.option("--voice", default=None, help="folder of another voice's weights")
@click.option(
    "--pipeline",
    type=click.Choice(reel_pipelines()),
    default="flow",
    show_default=True,
    help="one whose speaker can change with every text",
)
@engine_options(*reel_pipelines(), without=SPEAKER)
def reel(
    script: Path,
    output: str,
    captions: tuple[str, ...],
    pause: float,
    voice: str | None,
    pipeline: str,
    **words: str | None,
) -> None:
    """
    Synthesise SCRIPT, lines of `speaker: text` or a .json file, into one audio file.

    Prints the time of every stage.
    """
    typed = {name: word for name, word in words.items() if word is not None}
    try:
        check_pause(pause)
        _reel(
            script,
            Path(output),
            tuple(map(Path, captions)),
            pause,
            pipeline,
            typed,
            loader_of(pipeline, voice, typed),
        )
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _reel(
    script: Path,
    output: Path,
    captions: tuple[Path, ...],
    pause_s: float,
    name: str,
    words: Mapping[str, str],
    load: Callable[[], Any],
) -> None:
    from voxgate.engine.audio.captions import captions_text, check_format
    from voxgate.engine.text.reel_script import load_script

    segments = load_script(script)
    check_segments(config_class(name), segments, f"script {script}, ", words)
    check_output(output)
    for path in captions:
        check_format(path)
        check_place(path)
    _check_distinct((script, output, *captions))
    loading = StageTimes()
    pipeline = load()
    load_s = loading.total_s()
    from voxgate.engine.pipelines.reel import speak_reel

    times = StageTimes()
    made = speak_reel(pipeline, segments, pause_s=pause_s, watch=times.watch)
    wall_s = times.total_s()
    write(output, made.audio, pipeline.sample_rate_hz)
    for path in captions:
        _write_text(path, captions_text(path, made.captions))
    print_costs(pipeline, times, load_s, wall_s, made.audio.size / pipeline.sample_rate_hz)
    print_notices(pipeline, "segment")
    click.echo(f"wrote {len(segments)} segments to {', '.join(map(str, (output, *captions)))}")


def _check_distinct(paths: Sequence[Path]) -> None:
    """Check that no file is written over another one of a reel, its script included."""
    for number, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:number]]:
            raise EngineError(f"{path} is named twice, as script, output or captions; name another")


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EngineError(f"output {path} could not be written ({error.strerror})") from None

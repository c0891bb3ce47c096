"""
The engine's command line: `python -m voxgate.engine say "Text" -o out.wav [--option value]` writes
audio and prints stage times.

`reel SCRIPT` speaks segments of several speakers as one recording with captions, `serve` listens
for HTTP requests, `export FOLDER` writes the models as ONNX files, `options` lists all options.
"""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from voxgate.engine.config import (
    FlowConfig,
    ModelVariant,
    Stages,
    config_class,
    config_names,
    options_of,
    parse_typed,
)
from voxgate.engine.config.page import help_of, options_markdown, options_text
from voxgate.engine.config.reels import (
    PAUSE_S,
    SPEAKER,
    check_pause,
    check_segments,
    reel_pipelines,
)
from voxgate.engine.errors import EngineError, guarded
from voxgate.engine.serve.limits import Limits, parse_limits
from voxgate.engine.timing import StageTimes

Command = Callable[..., Any]
KINDS = ("f5-tts", "chatterbox", "chatterbox-multilingual")
"""Layouts of random weights."""


def _engine_options(*pipelines: str, without: str = "") -> Callable[[Command], Command]:
    """Add the engine options of some pipelines to a command, all but one where that is named."""
    every = [name for pipeline in pipelines for name in options_of(config_class(pipeline))]
    names = [name for name in every if name != without]

    def decorate(command: Command) -> Command:
        for name in reversed(dict.fromkeys(names)):
            flag = "--" + name.replace("_", "-")
            command = click.option(flag, name, help=help_of(name, pipelines))(command)
        return command

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxgate", prog_name="engine", message="%(prog)s %(version)s")
def main() -> None:
    """Synthesise speech with the embedded voice."""


@main.command()
@click.argument("text")
@click.option(
    "-o",
    "--output",
    default="out.wav",
    show_default=True,
    help="audio file to write: .wav or .flac",
)
@click.option("--voice", default=None, help="flow, token: folder of another voice's weights")
@click.option(
    "--pipeline",
    type=click.Choice(config_names()),
    default="flow",
    show_default=True,
    help="flow: the embedded voice; infill: a published F5-TTS checkpoint; token: the embedded "
    "voice through speech tokens; chatterbox: a published Chatterbox checkpoint",
)
@_engine_options(*config_names())
def say(text: str, output: str, voice: str | None, pipeline: str, **words: str | None) -> None:
    """Synthesise TEXT into an audio file and print the time of every stage."""
    try:
        _say(
            text,
            Path(output),
            voice,
            pipeline,
            {name: word for name, word in words.items() if word is not None},
        )
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


@main.command()
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
@_engine_options(*reel_pipelines(), without=SPEAKER)
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
            _loader_of(pipeline, voice, typed),
        )
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default=KINDS[0],
    show_default=True,
    help="the checkpoint's layout",
)
@click.option(
    "--small",
    is_flag=True,
    help="few layers: 120 MB at most, not the published sizes (f5-tts 1.4 GB, chatterbox 3.2 GB)",
)
def random_weights(folder: Path, kind: str, small: bool) -> None:
    """
    Write random weights in the layout of a published checkpoint, to try its pipeline.

    They sound like noise.
    """
    try:
        _write_random(folder, kind, small=small)
    except (EngineError, OSError) as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)
    click.echo(f"wrote random weights, no voice, to {folder}")


def _write_random(folder: Path, kind: str, *, small: bool) -> None:
    if kind == KINDS[0]:
        from voxgate.engine.weights.random_checkpoint import write_random_voice

        write_random_voice(folder, small=small)
        return
    from voxgate.engine.chatterbox.random_weights import write_random_chatterbox

    multilingual = kind.endswith(ModelVariant.MULTILINGUAL)
    variant = ModelVariant.MULTILINGUAL if multilingual else ModelVariant.ENGLISH
    write_random_chatterbox(folder, variant, small=small)


def _say(text: str, output: Path, voice: str | None, name: str, words: dict[str, str]) -> None:
    from voxgate.engine.audio import output_files

    load = _loader_of(name, voice, words)
    output_files.check_audio_place(output)
    loading = StageTimes()
    pipeline = load()
    load_s = loading.total_s()
    times = StageTimes()
    audio = pipeline.synthesize(text, watch=times.watch)
    wall_s = times.total_s()
    output_files.write_audio(output, audio, pipeline.sample_rate_hz)
    _print_costs(pipeline, times, load_s, wall_s, audio.size / pipeline.sample_rate_hz)
    click.echo(f"wrote {output}")


def _reel(
    script: Path,
    output: Path,
    captions: tuple[Path, ...],
    pause_s: float,
    name: str,
    load: Callable[[], Any],
) -> None:
    from voxgate.engine.audio import output_files
    from voxgate.engine.text.reel_script import load_script

    segments = load_script(script)
    check_segments(config_class(name), segments, f"script {script}, ")
    output_files.check_audio_place(output)
    for path in captions:
        output_files.check_captions_place(path)
    output_files.check_distinct((script, output, *captions))
    loading = StageTimes()
    pipeline = load()
    load_s = loading.total_s()
    from voxgate.engine.pipelines.reel import speak_reel

    times = StageTimes()
    made = speak_reel(pipeline, segments, pause_s=pause_s, watch=times.watch)
    wall_s = times.total_s()
    output_files.write_audio(output, made.audio, pipeline.sample_rate_hz)
    for path in captions:
        output_files.write_captions(path, made.captions)
    _print_costs(pipeline, times, load_s, wall_s, made.audio.size / pipeline.sample_rate_hz)
    click.echo(f"wrote {len(segments)} segments to {', '.join(map(str, (output, *captions)))}")


@main.command("export")
@click.argument("folder")
@click.option(
    "--stage",
    default="both",
    type=click.Choice([*map(str, Stages)]),
    show_default=True,
    help="which model",
)
@click.option("--voice", default=None, help="folder of another voice's weights")
def export_models(folder: str, stage: str, voice: str | None) -> None:
    """Write the models as ONNX files into FOLDER, and print how far they are from torch."""
    from voxgate.engine.export import export_voice
    from voxgate.engine.passes.support import check_packages

    try:
        check_packages("export")
        from voxgate.engine.weights.voice import DEFAULT_VOICE

        export_voice(
            Path(folder), Stages(stage), Path(voice) if voice else DEFAULT_VOICE, click.echo
        )
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _loader_of(name: str, voice: str | None, words: dict[str, str]) -> Callable[[], Any]:
    """Check the options; return a function that loads the pipeline."""
    config = parse_typed(config_class(name), words)
    options = {option: getattr(config, option) for option in options_of(type(config))}

    def load() -> Any:
        from voxgate.engine.pipelines import pipeline_class

        return pipeline_class(name).load(options, Path(voice) if voice else None)

    return load


def _print_costs(
    pipeline: Any, times: StageTimes, load_s: float, wall_s: float, audio_s: float
) -> None:
    for applied in pipeline.applied:
        click.echo(f"{applied.option:21} {applied.requested:14} {applied.effect}")
    click.echo(f"load     {load_s * 1e3:9.1f} ms")
    for stage, seconds in times.seconds.items():
        click.echo(f"{stage:8} {seconds * 1e3:9.1f} ms  {100 * seconds / wall_s:5.1f} %")
    speed = f"rtf {wall_s / audio_s:.3f}   rtfx {audio_s / wall_s:.2f}"
    click.echo(f"total    {wall_s * 1e3:9.1f} ms for {audio_s:.2f} s of audio   {speed}")


@main.command("options")
@click.option("--markdown", is_flag=True, help="the page docs/options.md")
def list_options(markdown: bool) -> None:
    """
    List every option of every pipeline: default, values and meaning.

    Example: python -m voxgate.engine options --markdown > docs/options.md
    """
    click.echo((options_markdown if markdown else options_text)(), nl=False)


def _limit_options(command: Command) -> Command:
    for field in reversed(fields(Limits)):
        name = "--" + field.name.replace("_", "-")
        command = click.option(name, field.name, help=f"default {field.default}")(command)
    return command


@main.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="address to listen on; others can reach 0.0.0.0",
)
@click.option(
    "--allowed-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="further name that requests may call this server",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes any free one",
)
@click.option("--voice", default=None, help="folder of another voice's weights")
@_limit_options
@_engine_options(FlowConfig.pipeline)
def serve(
    host: str, allowed: tuple[str, ...], port: int, voice: str | None, **words: str | None
) -> None:
    """Serve pipeline flow by OpenAI's speech API at http://HOST:PORT/v1/audio/speech."""
    typed = {name: word for name, word in words.items() if word is not None}
    limit_names = [field.name for field in fields(Limits)]
    bounds = {name: typed.pop(name) for name in limit_names if name in typed}
    try:
        limits, config = parse_limits(bounds), parse_typed(FlowConfig, typed)
        _server()(config, Path(voice) if voice else None, limits, host, port, allowed)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _server() -> Callable[..., None]:
    """
    Import the server.

    Raises: EngineError if its packages are not installed.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise EngineError(f"serve needs the package {error.name}; install voxgate[serve]") from None
    from voxgate.engine.serve.server import serve as run

    return run


if __name__ == "__main__":
    sys.exit(guarded(main))

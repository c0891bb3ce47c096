"""
The engine's command line: `python -m voxgate.engine say "Text" -o out.wav [--option value]` writes
audio and prints stage times.

`convert IN.WAV` speaks a recording's words by another voice, `reel SCRIPT` speaks segments of
several speakers as one recording with captions, `serve` listens for HTTP requests, `export FOLDER`
writes the models as ONNX files, `options` lists all options, `text-speed` times the text front-end.
"""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from voxgate.engine.commands.common import (
    Command,
    check_output,
    engine_options,
    loader_of,
    print_costs,
    print_notices,
    write,
)
from voxgate.engine.commands.convert import convert
from voxgate.engine.commands.random_weights import random_weights
from voxgate.engine.commands.reel import reel
from voxgate.engine.commands.show_text import show_text
from voxgate.engine.commands.text_speed import text_speed
from voxgate.engine.config import (
    FlowConfig,
    Language,
    Stages,
    config_class,
    config_names,
    parse_typed,
)
from voxgate.engine.config.conversion import converting_pipelines
from voxgate.engine.config.page import options_markdown, options_text
from voxgate.engine.errors import EngineError, guarded
from voxgate.engine.serve.limits import Limits, parse_limits
from voxgate.engine.timing import StageTimes

SPEAKING = tuple(name for name in config_names() if not config_class(name).converts)
"""Pipelines that speak a text."""
SERVED = (FlowConfig.pipeline, *converting_pipelines())


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxgate", prog_name="engine", message="%(prog)s %(version)s")
def main() -> None:
    """Synthesise speech with the embedded voice."""


main.add_command(convert)
main.add_command(reel)
main.add_command(random_weights)
main.add_command(text_speed)


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
    type=click.Choice(SPEAKING),
    default="flow",
    show_default=True,
    help="flow: the embedded voice; infill: a published F5-TTS checkpoint; token: the embedded "
    "voice through speech tokens; chatterbox: a published Chatterbox checkpoint",
)
@click.option(
    "--show-text", "shown", is_flag=True, help="print how the text is read, and make no audio"
)
@click.option(
    "--show-phones", "phones", is_flag=True, help="the same with the phones of each chunk"
)
@engine_options(*SPEAKING)
def say(
    text: str,
    output: str,
    voice: str | None,
    pipeline: str,
    shown: bool,
    phones: bool,
    **words: str | None,
) -> None:
    """Synthesise TEXT into an audio file and print the time of every stage."""
    typed = {name: word for name, word in words.items() if word is not None}
    try:
        if shown or phones:
            show_text(text, pipeline, typed, phones=phones)
        else:
            _say(text, Path(output), voice, pipeline, typed)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _say(text: str, output: Path, voice: str | None, name: str, words: dict[str, str]) -> None:
    load = loader_of(name, voice, words)
    check_output(output)
    loading = StageTimes()
    pipeline = load()
    load_s = loading.total_s()
    times = StageTimes()
    audio = pipeline.synthesize(text, watch=times.watch)
    wall_s = times.total_s()
    write(output, audio, pipeline.sample_rate_hz)
    print_costs(pipeline, times, load_s, wall_s, audio.size / pipeline.sample_rate_hz)
    print_notices(pipeline)
    click.echo(f"wrote {output}")


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
@click.option(
    "--language",
    default=Language.EN.value,
    type=click.Choice([*map(str, Language)]),
    show_default=True,
    help="of the voice",
)
def export_models(folder: str, stage: str, voice: str | None, language: str) -> None:
    """Write the models as ONNX files into FOLDER, and print how far they are from torch."""
    from voxgate.engine.export import export_voice
    from voxgate.engine.passes.support import check_packages

    try:
        check_packages("export")
        export_voice(
            Path(folder),
            Stages(stage),
            Path(voice) if voice else None,
            click.echo,
            Language(language),
        )
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


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
@click.option(
    "--pipeline",
    type=click.Choice(SERVED),
    default=SERVED[0],
    show_default=True,
    help="flow: texts are spoken; others: recordings are converted",
)
@click.option(
    "--spans",
    metavar="URL",
    help="send OpenTelemetry spans of requests and stages to this OTLP address, such as "
    "http://127.0.0.1:4318",
)
@_limit_options
@engine_options(*SERVED, without="source")
def serve(
    host: str,
    allowed: tuple[str, ...],
    port: int,
    voice: str | None,
    pipeline: str,
    spans: str | None,
    **words: str | None,
) -> None:
    """
    Serve a pipeline over HTTP.

    Pipeline flow by OpenAI's speech API at http://HOST:PORT/v1/audio/speech; one that converts at
    http://HOST:PORT/v1/audio/conversions.
    """
    typed = {name: word for name, word in words.items() if word is not None}
    limit_names = [field.name for field in fields(Limits)]
    bounds = {name: typed.pop(name) for name in limit_names if name in typed}
    try:
        limits, config = parse_limits(bounds), parse_typed(config_class(pipeline), typed)
        _server()(config, Path(voice) if voice else None, limits, host, port, allowed, spans)
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)


def _server() -> Callable[..., None]:
    """
    Import the server.

    Raises: EngineError if its packages are not installed.
    """
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise EngineError(f"serve needs the package {error.name}; install voxgate[serve]") from None
    from voxgate.engine.serve.server import serve as run

    return run


if __name__ == "__main__":
    sys.exit(guarded(main))

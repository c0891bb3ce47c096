"""`python -m voxgate.engine random-weights`: weights in the layout of published checkpoints."""

import sys
from pathlib import Path

import click

from voxgate.engine.config import ModelVariant
from voxgate.engine.errors import EngineError

RVC_KINDS = ("rvc", "rvc-40k", "rvc-32k", "rvc-v1")
KINDS = ("f5-tts", "chatterbox", "chatterbox-multilingual", *RVC_KINDS)
"""Layouts of random weights."""


@click.command("random-weights")
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
    help="few layers: 120 MB at most, not the published sizes (f5-tts 1.4 GB, chatterbox 3.2 GB, "
    "rvc 0.4 GB)",
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
    if kind in RVC_KINDS:
        from voxgate.engine.rvc import random_weights as rvc

        sizes = rvc.PUBLISHED[rvc.KINDS[kind]]
        rvc.write_random_rvc(folder, rvc.small_sizes(sizes) if small else sizes)
        return
    from voxgate.engine.chatterbox.random_weights import write_random_chatterbox

    multilingual = kind.endswith(ModelVariant.MULTILINGUAL)
    variant = ModelVariant.MULTILINGUAL if multilingual else ModelVariant.ENGLISH
    write_random_chatterbox(folder, variant, small=small)

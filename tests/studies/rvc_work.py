"""
How much arithmetic is one second of audio in each model of RVC?

    python -m tests.studies.rvc_work

Counts matrix products and convolutions on shapes alone, without memory. Prints a Markdown table.
"""

import sys
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from voxgate.engine.rvc.hubert import Hubert, HubertShape
from voxgate.engine.rvc.nsf_decoder import NsfDecoder
from voxgate.engine.rvc.random_weights import PUBLISHED
from voxgate.engine.rvc.synthesizer import FRAME_RATE_HZ, Synthesizer, SynthesizerShape

SECONDS = 5


def gflop_per_s(run: Callable[[], object]) -> float:
    """Return the work of `run`, which computes SECONDS of audio."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9 / SECONDS


def hubert_work() -> tuple[float, float]:
    """Return the work of HuBERT-base: its convolutions, and all of it."""
    model, audio = Hubert(HubertShape()), torch.empty(1, SECONDS * 16_000 + 80)
    return gflop_per_s(lambda: model.feature_extractor(audio)), gflop_per_s(lambda: model(audio))


def voice_work(shape: SynthesizerShape) -> tuple[float, float]:
    """Return the work of a synthesiser: in front of its vocoder, and the vocoder."""
    model, decoder, frames = (
        Synthesizer(shape),
        NsfDecoder(shape.decoder),
        SECONDS * FRAME_RATE_HZ,
    )
    content, latents = torch.empty(1, frames, shape.content), torch.empty(1, frames, shape.latent)
    pitch = torch.zeros(1, frames, dtype=torch.long)
    speaker = torch.empty(1, shape.decoder.speaker_width)
    sine = torch.empty(1, frames * shape.decoder.hop)
    return (
        gflop_per_s(lambda: model(content, pitch, speaker, latents)),
        gflop_per_s(lambda: decoder(latents, sine, speaker)),
    )


def main() -> int:
    """Print the table."""
    print("| model | GFLOP per second of audio |")
    print("| --- | ---: |")
    with torch.device("meta"):
        convs, whole = hubert_work()
        print(f"| HuBERT-base, content | {whole:.1f}, its convolutions {convs:.1f} |")
        for name, sizes in PUBLISHED.items():
            front, vocoder = voice_work(sizes.synthesizer)
            print(f"| {name}, model | {front:.1f} |")
            print(f"| {name}, vocoder | {vocoder:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

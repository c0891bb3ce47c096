"""
Train the content encoder, the mel decoder and the voice encoder of voice conversion together.

The phones are read off each frame's content alone, and the decoder makes the mel of the true voice
from it, given the pitch and an embedding of the voice. As a further task the output of the DiT's
text embedding is distilled, as for speech tokens, for a speaker drawn at random.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    ReferenceEncoder,
    ReferenceEncoderShape,
)
from voxgate.engine.training.conversion_crops import ConversionBatch, ConversionCrops
from voxgate.engine.training.conversion_data import SpokenCorpus
from voxgate.engine.training.flow_states import FlowStates, FlowStatesShape
from voxgate.engine.training.loop import TrainingSchedule, train
from voxgate.engine.training.train_tokenizer import distillation_error

CONTENT_NOISE = 0.05
"""Deviation of the noise that the decoder's content has, so that it carries little but phones."""
LABEL_SMOOTHING = 0.05
MEL_WEIGHT = 2.0


class ConversionTraining(nn.Module):
    """All that is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ContentEncoder(ContentEncoderShape(phones=len(PHONES)))
        self.decoder = MelDecoder(MelDecoderShape())
        self.voice = ReferenceEncoder(ReferenceEncoderShape())
        self.states = FlowStates(FlowStatesShape(speakers=len(SPEAKERS)))

    def forward(self, batch: ConversionBatch, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return phone logits (B, F, phones), mel (B, F, bands) and states (B, F, text_width)."""
        content = self.encoder(batch.heard)
        logits = self.encoder.phones(content)
        rough = content + noise
        embedding = self.voice(batch.reference)
        mel = self.decoder(rough, batch.pitch, batch.voiced, embedding)
        return logits, mel, self.states(rough, batch.frames.speaker[:, 0])


def conversion_loss(model: ConversionTraining, batch: ConversionBatch, embed: nn.Module) -> Tensor:
    """
    Sum three errors: the cross-entropy of the phones, the distance of the mel, and the distance of
    the states from what `embed`, the DiT's text embedding, makes of the true phones.
    """
    shape = (*batch.heard.shape[:2], model.encoder.shape.content)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            target = embed(batch.frames).float()
        logits, mel, states = model(batch, CONTENT_NOISE * torch.randn(shape))
    entropies = nn.functional.cross_entropy(
        logits.float().flatten(0, 1),
        batch.frames.phone.flatten(),
        reduction="none",
        label_smoothing=LABEL_SMOOTHING,
    )
    phones = (entropies * batch.whole.flatten()).sum() / batch.whole.sum()
    distance = (mel.float() - batch.mel).abs().mean(-1) * batch.weight[:, None]
    states_error = distillation_error(states.float(), target, batch.whole)
    summed: Tensor = phones + MEL_WEIGHT * distance.mean() + states_error
    return summed


def run(
    name: str,
    parts: tuple[SpokenCorpus, ...],
    dit: DiT,
    scale: tuple[float, float],
    folder: Path,
    *,
    steps: int,
    seed: int,
    start: Path | None = None,
    learning_rate: float = 3e-3,
) -> nn.Module:
    """
    Train and return the averaged ConversionTraining.

    Args:
        name: of the checkpoint in `folder`.
        parts: flite's utterances, then those of other engines, then human recordings.
        dit: frozen.
        scale: mean and deviation of the normalised mel.
        folder: of the checkpoint.
        steps: number of steps.
        seed: of everything that is drawn.
        start: checkpoint whose averaged weights are the first ones.
        learning_rate: the highest.
    """
    torch.manual_seed(seed)
    model = ConversionTraining()
    if start is not None:
        load_averaged(model, start)
    crops = ConversionCrops(parts, scale, seed)

    def loss_of(step: int) -> Tensor:
        torch.manual_seed(seed * 1_000_003 + step)
        return conversion_loss(model, crops(step), dit.text_embed)

    schedule = TrainingSchedule(
        steps=steps, learning_rate=learning_rate, warmup=60, ema=0.998, seed=seed
    )
    return train(name, model, loss_of, schedule, folder)


def load_averaged(model: nn.Module, path: Path) -> None:
    """Load the averaged weights of a checkpoint."""
    prefix = "ema."
    averaged = {
        name.removeprefix(prefix): value
        for name, value in load_file(path).items()
        if name.startswith(prefix)
    }
    model.load_state_dict(averaged)

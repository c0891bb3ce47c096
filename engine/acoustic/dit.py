"""
The velocity field of the flow: a diffusion transformer over mel frames, after F5-TTS (Chen et al.
2024).

Inputs: the noisy mel, the prompt's mel (zeros where there is none), the phone of every frame with
the position inside the phone, the speaker, and a question flag.
Pitch is no input.
Differences from F5-TTS, for size: phones with durations instead of filler-padded characters, and
one AdaLN projection shared by all blocks plus a bias for each (Chen et al. 2023, PixArt-alpha).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.duration.frames import PLACES, FrameConditioning
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.attention import Attention, rope_tables
from voxgate.engine.layers.convolution import ConvNeXtBlock, convolve
from voxgate.engine.layers.linear import Linear, LinearGelu
from voxgate.engine.layers.mel import BANDS
from voxgate.engine.layers.time_conditioning import TimestepEmbedding, distinct_times, modulate


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTShape:
    """The hyperparameters of a DiT."""

    phones: int
    speakers: int
    bands: int = BANDS
    width: int = 256
    depth: int = 6
    heads: int = 4
    hidden: int = 480
    text_width: int = 128
    text_blocks: int = 2

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise EngineError(
                f"{self.heads} attention heads of even width do not fit into a width of "
                f"{self.width}; check the weights"
            )


class TextEmbedding(nn.Module):
    """
    `FrameConditioning` -> (B, T, text_width).

    It does not depend on the flow time, so it is computed once per synthesis.
    """

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.phone = nn.Embedding(shape.phones, shape.text_width)
        self.place = nn.Embedding(PLACES + 1, shape.text_width)
        self.speaker = nn.Embedding(shape.speakers + 1, shape.text_width)
        self.question = nn.Embedding(3, shape.text_width)
        blocks = [
            ConvNeXtBlock(shape.text_width, 2 * shape.text_width, gamma=0.5)
            for _ in range(shape.text_blocks)
        ]
        self.text_blocks = nn.ModuleList(blocks)

    def forward(self, frames: FrameConditioning) -> Tensor:
        """Embed the conditioning and mix neighbouring frames by convolutions."""
        x: Tensor = (
            self.phone(frames.phone) + self.place(frames.place) + self.speaker(frames.speaker)
        )
        x = x + self.question(frames.question)
        for block in self.text_blocks:
            x = block(x)
        return x


class InputEmbedding(nn.Module):
    """
    Noisy mel, prompt mel and text, (B, T, ...) each -> (B, T, width).

    A grouped convolution encodes the positions.
    """

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.proj = Linear(2 * shape.bands + shape.text_width, shape.width)
        self.conv_pos = nn.Conv1d(shape.width, shape.width, 31, padding=15, groups=16)

    def forward(
        self, noisy: Tensor, prompt_mel: Tensor, text: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Project the concatenated inputs; `mask` as in `DiT.forward`."""
        x: Tensor = self.proj(torch.cat((noisy, prompt_mel, text), dim=-1))
        # the convolution must see padding as the end of the utterance
        if mask is not None and not self.training:
            x = x * mask[:, 0, 0, :, None]
        return x + nn.functional.mish(convolve(self.conv_pos, x))


class DiTBlock(nn.Module):
    """
    Attention and feed-forward, each normalised, then scaled, shifted and gated by the time.

    AdaLN-zero (Peebles & Xie 2023).
    """

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.attn = Attention(shape.width, shape.heads)
        self.ff = nn.Sequential(
            LinearGelu(shape.width, shape.hidden, "tanh"),
            nn.Identity(),
            Linear(shape.hidden, shape.width),
        )  # Identity: published checkpoints number an activation here
        self.modulation_bias = nn.Parameter(torch.zeros(6 * shape.width))

    def forward(
        self, x: Tensor, modulation: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None
    ) -> Tensor:
        """
        Transform x (B, T, width).

        `modulation` is (B, 1, 6 * width), or (1, 1, 6 * width) if all rows share it.
        """
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = (
            modulation + self.modulation_bias
        ).chunk(6, dim=-1)
        x = torch.addcmul(x, gate_a, self.attn(modulate(x, shift_a, scale_a), cos, sin, mask))
        return torch.addcmul(x, gate_f, self.ff(modulate(x, shift_f, scale_f)))


class DiT(nn.Module):
    """Velocity of the flow at time t, (B, T, bands)."""

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.shape = shape
        self.text_embed = TextEmbedding(shape)
        self.time_embed = TimestepEmbedding(shape.width)
        self.input_embed = InputEmbedding(shape)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(shape.width, 6 * shape.width))
        self.transformer_blocks = nn.ModuleList(DiTBlock(shape) for _ in range(shape.depth))
        self.modulation_out = nn.Sequential(nn.SiLU(), nn.Linear(shape.width, 2 * shape.width))
        self.proj_out = Linear(shape.width, shape.bands)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(
        self, noisy: Tensor, prompt_mel: Tensor, text: Tensor, t: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """
        Predict the velocity.

        Args:
            noisy: (B, T, bands), the state of the flow.
            prompt_mel: (B, T, bands), the prompt's mel, zeros at the frames to synthesise.
            text: (B, T, text_width), from `text_embed`.
            t: (B,) times in 0..1; a single expanded time is embedded once.
            mask: (B, 1, 1, T) bool, True for real frames; None if no frame is padding.

        Returns: (B, T, bands).
        """
        time = self.time_embed(distinct_times(t))[:, None]
        x = self.input_embed(noisy, prompt_mel, text, mask)
        cos, sin = (
            table.to(x.dtype)
            for table in rope_tables(x.shape[1], x.shape[2] // self.shape.heads, x.device)
        )
        modulation = self.modulation(time)
        for block in self.transformer_blocks:
            x = block(x, modulation, cos, sin, mask)
        shift, scale = self.modulation_out(time).chunk(2, dim=-1)
        velocity: Tensor = self.proj_out(modulate(x, shift, scale))
        return velocity

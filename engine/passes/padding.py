"""
Pads what the models are given to a multiple of some frames, masks the padding, and cuts it off afterwards: so few shapes occur.

That is for whatever is tuned, captured or built per shape: CUDA graphs, TensorRT, autotuned kernels. The result must not
change. Attention has its mask, but a convolution near the end would see the padding where it saw the zeros outside of the
utterance. So the DiT's padding is the frame that its input projection maps to zero, and the vocoder's padding is set to zero
before every block.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.acoustic.dit import DiT
from engine.passes.applied import Applied
from engine.vocoder.vocos import Vocos


class MaskedVocos(nn.Module):
    """A vocoder that is told which frames are padding; it shares all its parameters with the vocoder it is made of."""

    def __init__(self, vocoder: Vocos) -> None:
        super().__init__()
        self.vocoder = vocoder
        self.shape = vocoder.shape

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """Predict as `Vocos` does; mel (B, T, bands) is zero where mask (B, T, 1) is."""
        backbone = self.vocoder.backbone
        x = backbone.norm(backbone.embed(mel.transpose(1, 2)).transpose(1, 2))
        for block in backbone.convnext:
            x = block(x * mask)
        projected: Tensor = self.vocoder.head(backbone.final_layer_norm(x))
        return projected


class PaddedDiT:
    """Called like a DiT; `inner` is what it calls with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], dit: DiT, multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple
        self.blank = blank_frame(dit)

    def __call__(self, noisy: Tensor, known: Tensor, text: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        """Give the velocity (B, T, bands); `mask` (B, 1, 1, T) is of frames that are padding already."""
        batch, length = noisy.shape[:2]
        extra = -length % self.multiple
        real = noisy.new_ones((batch, 1, 1, length), dtype=torch.bool) if mask is None else mask
        real = nn.functional.pad(real, (0, extra))
        pairs = zip((noisy, known, text), self.blank, strict=True)
        filled = [torch.cat((x, blank.expand(batch, extra, -1)), dim=1) for x, blank in pairs]
        return self.inner(*filled, t, real)[:, :length]


class PaddedVocos:
    """Called like a vocoder; `inner` is what it calls with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple

    def __call__(self, mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """Give log-magnitudes and phases (B, T, n_fft + 2); `mask` (B, T, 1) is of frames that are padding already."""
        batch, length = mel.shape[:2]
        extra = -length % self.multiple
        real = mel.new_ones((batch, length, 1)) if mask is None else mask.to(mel.dtype)
        padded, real = (nn.functional.pad(x, (0, 0, 0, extra)) for x in (mel * real, real))
        return self.inner(padded, real)[:, :length]


def cores(dit: DiT, vocoder: Vocos, multiple: int) -> dict[str, nn.Module]:
    """Give the models to compile or export, by name: with padding, a vocoder that takes a mask."""
    return {"acoustic": dit, "vocoder": MaskedVocos(vocoder) if multiple else vocoder}


def apply(called: dict[str, Callable[..., Any]], dit: DiT, multiple: int) -> tuple[dict[str, Callable[..., Any]], Applied]:
    """Give what is to be called instead; `called` are the models as the passes before left them."""
    if not multiple:
        return called, Applied(option="pad_frames", asked="0", what="lengths as they are", why="not asked")
    padded: dict[str, Callable[..., Any]] = {
        "acoustic": PaddedDiT(called["acoustic"], dit, multiple),
        "vocoder": PaddedVocos(called["vocoder"], multiple),
    }
    what = f"lengths of {' and '.join(padded)} padded to multiples of {multiple} frames"
    return padded, Applied(option="pad_frames", asked=str(multiple), what=what, why="asked; masked, and cut off afterwards")


@torch.inference_mode()
def blank_frame(dit: DiT) -> tuple[Tensor, ...]:
    """
    Find the input frame that the DiT's input projection maps to zero: noisy, known and text part, (1, 1, ...) each.

    The projection is asked what it does, so that quantised weights are seen as they are. It has more inputs than outputs, so
    there are many such frames; this is the smallest (the pseudo-inverse's).
    """
    projection = dit.input_embed.proj
    count, like = projection.in_features, dit.text_embed.phone.weight  # which nothing quantises
    bias = projection(like.new_zeros((1, count)))
    matrix = projection(torch.eye(count, dtype=like.dtype, device=like.device)) - bias
    blank = -bias.double().cpu() @ torch.linalg.pinv(matrix.double().cpu())
    bands = dit.shape.bands
    parts: tuple[Tensor, ...] = blank.to(like)[None].split((bands, bands, count - 2 * bands), dim=-1)
    return parts

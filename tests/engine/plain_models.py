"""
The models once more, written out formula by formula in double precision: what the engine's quick
arithmetic is held against.

Nothing is shared with the engine but the names of the weights. Slow, and easy to read.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

Weights = Mapping[str, Tensor]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights in double precision."""
    return {name: value.double() for name, value in model.state_dict().items()}


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def conv(w: Weights, name: str, x: Tensor) -> Tensor:
    """Convolve (B, T, C) over time, group by group, tap by tap."""
    kernel, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    out, inside, taps = kernel.shape
    groups = x.shape[-1] // inside
    padded = nn.functional.pad(x, (0, 0, taps // 2, taps // 2))
    found = []
    for group in range(groups):
        told = padded[..., group * inside : (group + 1) * inside]
        rows = kernel[group * (out // groups) : (group + 1) * (out // groups)]
        found.append(sum(told[:, tap : tap + x.shape[1]] @ rows[..., tap].T for tap in range(taps)))
    return torch.cat(found, dim=-1) + bias


def norm(x: Tensor, w: Weights | None = None, name: str = "") -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return normed if w is None else normed * w[f"{name}.weight"] + w[f"{name}.bias"]


def time_embedding(w: Weights, t: Tensor) -> Tensor:
    """
    The angles in single precision, since a thousandfold time is no longer exact in it: that is how
    the weights know it.
    """
    rates = torch.exp(torch.arange(128) * (-math.log(10_000.0) / 127))
    angles = (1000.0 * t.float()[:, None] * rates).double()
    sinusoids = torch.cat((angles.sin(), angles.cos()), dim=-1)
    return linear(
        w,
        "time_embed.time_mlp.2",
        nn.functional.silu(linear(w, "time_embed.time_mlp.0", sinusoids)),
    )


def turned(x: Tensor) -> Tensor:
    """Return (B, H, T, d) with every pair of channels rotated by position, one pair at a time."""
    width, given = x.shape[-1], x.clone()
    places = torch.arange(x.shape[2], dtype=torch.float64)
    for pair in range(width // 2):
        angle = places * 10_000.0 ** (-2 * pair / width)
        a, b = x[..., 2 * pair], x[..., 2 * pair + 1]
        given[..., 2 * pair] = a * angle.cos() - b * angle.sin()
        given[..., 2 * pair + 1] = a * angle.sin() + b * angle.cos()
    return given


def attention(
    w: Weights, name: str, out: str, x: Tensor, heads: int, turned_heads: int, mask: Tensor | None
) -> Tensor:
    q, k, v = (
        linear(w, f"{name}.to_{part}", x).unflatten(-1, (heads, -1)).transpose(1, 2)
        for part in "qkv"
    )
    q, k = (
        torch.cat((turned(each[:, :turned_heads]), each[:, turned_heads:]), dim=1)
        for each in (q, k)
    )
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return linear(w, out, (scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def block(
    x: Tensor,
    parts: tuple[Tensor, ...],
    attend: Callable[[Tensor], Tensor],
    feed: Callable[[Tensor], Tensor],
) -> Tensor:
    shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = parts
    x = x + gate_a * attend(norm(x) * (1 + scale_a) + shift_a)
    return x + gate_f * feed(norm(x) * (1 + scale_f) + shift_f)


def gelu_tanh(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log1p(x.exp()))


def dit(
    w: Weights,
    heads: int,
    noisy: Tensor,
    prompt_mel: Tensor,
    text: Tensor,
    t: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """The embedded voice's `DiT`."""
    time = nn.functional.silu(time_embedding(w, t))[:, None]
    x = linear(w, "input_embed.proj", torch.cat((noisy, prompt_mel, text), dim=-1).double())
    x = x if mask is None else x * mask[:, 0, 0, :, None]
    x = x + mish(conv(w, "input_embed.conv_pos", x))
    shared = linear(w, "modulation.1", time)
    depth = len({name.split(".")[1] for name in w if name.startswith("transformer_blocks.")})
    for index in range(depth):
        at = f"transformer_blocks.{index}"
        x = block(
            x,
            (shared + w[f"{at}.modulation_bias"]).chunk(6, dim=-1),
            lambda y, at=at: attention(w, f"{at}.attn", f"{at}.attn.to_out", y, heads, heads, mask),
            lambda y, at=at: linear(w, f"{at}.ff.2", gelu_tanh(linear(w, f"{at}.ff.0", y))),
        )
    shift, scale = linear(w, "modulation_out.1", time).chunk(2, dim=-1)
    return linear(w, "proj_out", norm(x) * (1 + scale) + shift)


def f5_dit(
    w: Weights,
    heads: int,
    turned_heads: int,
    noisy: Tensor,
    prompt_mel: Tensor,
    text: Tensor,
    t: Tensor,
) -> Tensor:
    """The published `F5DiT`."""
    time = nn.functional.silu(time_embedding(w, t))[:, None]
    x = linear(w, "input_embed.proj", torch.cat((noisy, prompt_mel, text), dim=-1).double())
    placed = mish(conv(w, "input_embed.conv_pos_embed.conv1d.0", x))
    x = x + mish(conv(w, "input_embed.conv_pos_embed.conv1d.2", placed))
    depth = len({name.split(".")[1] for name in w if name.startswith("transformer_blocks.")})
    for index in range(depth):
        at = f"transformer_blocks.{index}"
        x = block(
            x,
            linear(w, f"{at}.attn_norm.linear", time).chunk(6, dim=-1),
            lambda y, at=at: attention(
                w, f"{at}.attn", f"{at}.attn.to_out.0", y, heads, turned_heads, None
            ),
            lambda y, at=at: linear(w, f"{at}.ff.ff.2", gelu_tanh(linear(w, f"{at}.ff.ff.0.0", y))),
        )
    scale, shift = linear(w, "norm_out.linear", time).chunk(2, dim=-1)
    return linear(w, "proj_out", norm(x) * (1 + scale) + shift)


def vocos(w: Weights, mel: Tensor) -> Tensor:
    """The vocoder up to log-magnitudes and phases."""
    x = norm(conv(w, "backbone.embed", mel.double()), w, "backbone.norm")
    blocks = len({name.split(".")[2] for name in w if name.startswith("backbone.convnext.")})
    for index in range(blocks):
        at = f"backbone.convnext.{index}"
        wide = nn.functional.gelu(
            linear(w, f"{at}.pwconv1", norm(conv(w, f"{at}.dwconv", x), w, f"{at}.norm"))
        )
        x = x + w[f"{at}.gamma"] * linear(w, f"{at}.pwconv2", wide)
    return linear(w, "head.out", norm(x, w, "backbone.final_layer_norm"))


def waveform(projected: Tensor, n_fft: int, hop: int) -> Tensor:
    """
    Invert the spectrum frame by frame, add the frames up, divide by what their windows add up to.
    """
    log_magnitude, phase = projected.double().chunk(2, dim=-1)
    spectrum = torch.polar(log_magnitude.exp().clamp(max=1e2), phase)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    frames = torch.fft.irfft(spectrum, n_fft, dim=-1) * window
    length = n_fft + hop * (frames.shape[1] - 1)
    added, worth = (
        torch.zeros(frames.shape[0], length, dtype=torch.float64),
        torch.zeros(length, dtype=torch.float64),
    )
    for index in range(frames.shape[1]):
        added[:, index * hop : index * hop + n_fft] += frames[:, index]
        worth[index * hop : index * hop + n_fft] += window.square()
    inside = slice(n_fft // 2, length - n_fft // 2)
    return added[:, inside] / worth[inside]

"""voxgate.engine.layers.llama and kv_cache: against written-out formulas and each other."""

import math

import pytest
import torch

from voxgate.engine.errors import EngineError
from voxgate.engine.layers.kv_cache import DynamicCache, NoCache, StaticCache
from voxgate.engine.layers.llama import Llama, LlamaShape, RopeScaling, rope_frequencies

SHAPE = LlamaShape(width=32, depth=3, heads=4, hidden=48, kv_heads=2)
NAMES = {
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
}


@pytest.fixture
def stack():
    torch.manual_seed(0)
    made = Llama(SHAPE).eval().requires_grad_(False)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def static(rows=2, capacity=300):
    return StaticCache(
        layers=SHAPE.depth,
        rows=rows,
        heads=SHAPE.key_heads,
        capacity=capacity,
        head_width=SHAPE.head_width,
        like=torch.zeros(1),
    )


def decode(stack, cache, x, prefix, first_position=None):
    """Compute the prefix at once, then position by position."""
    positions = torch.arange(x.shape[1])
    if first_position is not None:
        positions[prefix:] += first_position - prefix
    parts = [stack(x[:, :prefix], positions[:prefix], cache)]
    for step in range(prefix, x.shape[1]):
        parts.append(stack(x[:, step : step + 1], positions[step : step + 1], cache))
    return torch.cat(parts, dim=1)


def plain_rms(x, weight, eps):
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def plain_rope(x, frequencies):
    """x (T, heads, d): pairs of channel i and i + d / 2, turned by position times frequency."""
    out = torch.empty_like(x)
    half = x.shape[-1] // 2
    for position in range(x.shape[0]):
        for i in range(half):
            angle = position * float(frequencies[i])
            a, b = x[position, :, i], x[position, :, i + half]
            out[position, :, i] = a * math.cos(angle) - b * math.sin(angle)
            out[position, :, i + half] = b * math.cos(angle) + a * math.sin(angle)
    return out


def plain_stack(weights, x, shape, frequencies, prefix=0):
    """The whole decoder over one sequence (T, width), head by head."""
    for n in range(shape.depth):
        w = {name: weights[f"layers.{n}.{name}"] for name in NAMES}
        y = plain_rms(x, w["input_layernorm.weight"], shape.eps)
        q, k, v = (
            (y @ w[f"self_attn.{part}_proj.weight"].T).view(len(x), -1, shape.head_width)
            for part in "qkv"
        )
        q, k = plain_rope(q, frequencies), plain_rope(k, frequencies)
        heads = []
        for head in range(shape.heads):
            shared = head * shape.key_heads // shape.heads
            scores = q[:, head] @ k[:, shared].T / math.sqrt(shape.head_width)
            for i in range(len(x)):
                for j in range(i + 1, len(x)):
                    if not (i < prefix and j < prefix):
                        scores[i, j] = -math.inf
            heads.append(scores.softmax(-1) @ v[:, shared])
        x = x + torch.cat(heads, -1) @ w["self_attn.o_proj.weight"].T
        y = plain_rms(x, w["post_attention_layernorm.weight"], shape.eps)
        gate, up = (y @ w[f"mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        x = x + (gate * gate.sigmoid() * up) @ w["mlp.down_proj.weight"].T
    return plain_rms(x, weights["norm.weight"], shape.eps)


def test_parameters_have_the_names_of_published_weights():
    names = {f"layers.{n}.{name}" for n in range(3) for name in NAMES} | {"norm.weight"}

    assert Llama(SHAPE).state_dict().keys() == names


def test_the_stack_computes_the_written_out_formulas(stack):
    x = torch.randn(2, 9, 32)
    frequencies = rope_frequencies(SHAPE)

    hidden = stack(x, torch.arange(9))

    for row in range(2):
        expected = plain_stack(stack.state_dict(), x[row], SHAPE, frequencies)
        torch.testing.assert_close(hidden[row], expected, atol=1e-5, rtol=1e-5)


def test_llama3_scales_low_frequencies_and_leaves_high_ones():
    scaling = RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
    plain = LlamaShape(width=128, depth=1, heads=2, hidden=1, theta=500_000.0)
    scaled = LlamaShape(width=128, depth=1, heads=2, hidden=1, theta=500_000.0, scaling=scaling)
    before, after = rope_frequencies(plain), rope_frequencies(scaled)

    wavelength = 2 * math.pi / before
    high, low = wavelength < 8192 / 4, wavelength > 8192
    assert torch.equal(after[high], before[high])
    torch.testing.assert_close(after[low], before[low] / 8)
    middle = ~high & ~low
    assert middle.any()
    smooth = (8192 / wavelength[middle] - 1) / 3
    torch.testing.assert_close(
        after[middle], (1 - smooth) * before[middle] / 8 + smooth * before[middle]
    )


@pytest.mark.parametrize("prefix_open", [True, False])
@pytest.mark.parametrize("kind", ["off", "dynamic", "static"])
def test_every_cache_computes_the_written_out_formulas(stack, kind, prefix_open):
    x = torch.randn(2, 12, 32)
    prefix = 5 if prefix_open else 0
    if kind == "static":
        cache = static()
        cache.reset(prefix=prefix)
    else:
        cache = {"off": NoCache, "dynamic": DynamicCache}[kind](prefix=prefix)

    hidden = decode(stack, cache, x, 5)

    expected = plain_stack(stack.state_dict(), x[1], SHAPE, rope_frequencies(SHAPE), prefix)
    torch.testing.assert_close(hidden[1], expected, atol=1e-5, rtol=1e-5)
    assert cache.length == 12


def test_caches_agree_over_their_blocks_and_windows(stack):
    x = torch.randn(2, 290, 32)
    fixed = static(capacity=300)

    without = stack(x, torch.arange(290))
    grown = decode(stack, DynamicCache(), x, 120)
    kept = decode(stack, fixed, x, 120)
    fixed.reset()
    again = decode(stack, fixed, x, 120)

    torch.testing.assert_close(grown, without, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept, grown, atol=1e-5, rtol=1e-5)
    assert torch.equal(again, kept)


@pytest.mark.parametrize("kind", ["off", "dynamic", "static"])
def test_a_padded_row_computes_as_it_does_alone(stack, kind):
    x = torch.randn(2, 14, 32)
    padding = torch.ones(2, 6, dtype=torch.bool)
    padding[1, 4:] = False
    if kind == "static":
        cache = static()
        cache.reset(prefix=6, padding=padding)
    else:
        cache = {"off": NoCache, "dynamic": DynamicCache}[kind](prefix=6, padding=padding)

    together = decode(stack, cache, x, 6, first_position=100)
    alone_x = torch.cat((x[1:, :4], x[1:, 6:]), dim=1)
    alone = decode(stack, DynamicCache(prefix=4), alone_x, 4, first_position=100)

    torch.testing.assert_close(together[1, 6:], alone[0, 4:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [NoCache, DynamicCache])
def test_rows_can_leave_a_batch(stack, kind):
    x = torch.randn(3, 10, 32)
    whole = decode(stack, kind(), x, 4)
    cache = kind()
    decode(stack, cache, x[:, :7], 4)
    cache.keep(torch.tensor([2, 0]))

    rest = torch.cat(
        [stack(x[[2, 0], t : t + 1], torch.tensor([t]), cache) for t in range(7, 10)], dim=1
    )

    torch.testing.assert_close(rest, whole[[2, 0], 7:], atol=1e-5, rtol=1e-5)


def test_a_prepared_stack_computes_the_same(stack):
    x = torch.randn(2, 12, 32)
    before = decode(stack, DynamicCache(), x, 5)

    torch.testing.assert_close(
        decode(stack.prepare(), DynamicCache(), x, 5), before, atol=1e-5, rtol=1e-5
    )


def test_large_matrices_are_packed_once_and_compute_the_same():
    torch.manual_seed(0)
    big = Llama(LlamaShape(width=512, depth=1, heads=8, hidden=2048)).eval().requires_grad_(False)
    x = torch.randn(2, 8, 512)
    before = decode(big, DynamicCache(), x, 5)
    packed = big.prepare()

    torch.testing.assert_close(decode(packed, DynamicCache(), x, 5), before, atol=1e-5, rtol=1e-4)
    held = sum(parameter.numel() for parameter in packed.parameters())
    assert held < 512 * 512 * 2  # the joined and the wide matrices have left the parameters


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    stack = Llama(LlamaShape(width=32, depth=2, heads=4, hidden=48, dropout=0.5))
    x, positions = torch.randn(1, 6, 32), torch.arange(6)

    assert not torch.equal(stack.train()(x, positions), stack(x, positions))
    assert torch.equal(stack.eval()(x, positions), stack(x, positions))


def test_training_computes_what_evaluation_does(stack):
    x, positions = torch.randn(2, 9, 32), torch.arange(9)

    torch.testing.assert_close(
        stack.train()(x, positions), stack.eval()(x, positions), atol=1e-5, rtol=1e-4
    )


def test_a_sequence_longer_than_a_static_cache_is_refused(stack):
    cache = static(capacity=10)
    cache.length = cache.capacity

    with pytest.raises(EngineError, match="kv_cache=dynamic"):
        stack(torch.randn(2, 1, 32), torch.tensor([5]), cache)


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(EngineError, match="do not fit"):
        LlamaShape(width=30, depth=1, heads=4, hidden=8)

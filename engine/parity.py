"""How far an exported graph is from the model that it was exported from: the largest difference, over lengths and batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.config import FlowConfig, Runtime
from engine.passes.onnx_graph import EXAMPLE_FRAMES, Graph, Signature
from engine.passes.onnx_session import open_session

BATCHES = (1, 2)
LENGTHS_FRAMES = (5, 160, 577)
"""A syllable, a sentence, and more than the acoustic model was trained on; none of them is what the graph was traced with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The largest absolute difference between the outputs, and the largest output, for one batch and length."""

    batch: int
    frames: int
    largest: float
    scale: float


@torch.inference_mode()
def differences(model: nn.Module, graph: Graph, config: FlowConfig) -> Iterator[Difference]:
    """Give both the same random input, in every batch and length, on the CPU."""
    session = open_session(graph, Runtime.ONNX, config)
    for batch in BATCHES:
        for frames in LENGTHS_FRAMES:
            inputs = _inputs(graph.signature, batch, frames)
            wanted = model(*inputs)
            apart = (session(*inputs) - wanted).abs().max()
            yield Difference(batch=batch, frames=frames, largest=float(apart), scale=float(wanted.abs().max()))


def _inputs(signature: Signature, batch: int, frames: int) -> list[Tensor]:
    """Make inputs of the signature's kinds; masks tell of no padding."""
    generator = torch.Generator().manual_seed(1000 * batch + frames)
    made = []
    for name, example in signature.inputs.items():
        shape = [batch, *(frames if size == EXAMPLE_FRAMES else size for size in example.shape[1:])]
        noise = torch.ones(shape) if name == "mask" else torch.rand(shape, generator=generator)
        made.append(noise.to(example.dtype))
    return made

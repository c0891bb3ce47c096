"""
The training loop that all three models share: schedule, averaging of weights, checkpoints, a log
that can be plotted.

A stop at any moment costs at most `CHECKPOINT_EVERY` steps: batches depend only on the seed and the
step, so a resumed run sees what an unbroken one would have seen. Knows nothing of speech.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CHECKPOINT_EVERY = 200
LOG_EVERY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSchedule:
    """How long and how fast to learn: linear warm-up, flat share, then a cosine to zero."""

    steps: int
    learning_rate: float
    warmup: int = 150
    flat: float = 0.2
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 7

    def rate(self, step: int) -> float:
        """Give the learning rate of a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        decay_from = self.flat * self.steps
        done = max(0.0, (step - decay_from) / (self.steps - decay_from))
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def make_optimizers(model: nn.Module, plan: TrainingSchedule) -> list[torch.optim.Optimizer]:
    """
    Muon (Jordan 2024) for the hidden matrices, AdamW for embeddings, norms, biases and
    convolutions.
    """
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        hidden = parameter.ndim == 2 and not any(
            part in name for part in ("phone", "place", "speaker", "question", "out")
        )
        (matrices if hidden else rest).append(parameter)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=plan.learning_rate, betas=(0.9, 0.99), fused=True)
    ]
    if matrices:
        muon = torch.optim.Muon(
            matrices, lr=plan.learning_rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.01
        )
        optimizers.append(muon)
    return optimizers


def _flat_state(optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{number}.{key}": value
        for index, optimizer in enumerate(optimizers)
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def _restore_optimizers(optimizers: list[torch.optim.Optimizer], flat: dict[str, Tensor]) -> None:
    for index, optimizer in enumerate(optimizers):
        whole = optimizer.state_dict()
        for name, value in flat.items():
            if name.startswith(f"optimizer.{index}."):
                _, _, number, key = name.split(".", 3)
                whole["state"].setdefault(int(number), {})[key] = value
        optimizer.load_state_dict(whole)


def save_checkpoint(
    path: Path, step: int, model: nn.Module, ema: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> None:
    """Write everything a resumed run needs, at once or not at all."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.state_dict().items()}
    tensors |= _flat_state(optimizers)
    unfinished = path.with_suffix(".part")
    save_file(
        {name: value.detach().clone().contiguous() for name, value in tensors.items()},
        unfinished,
        {"step": str(step)},
    )
    unfinished.rename(path)


def load_checkpoint(
    path: Path, model: nn.Module, ema: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> int:
    """Restore all from `save_checkpoint`'s file; gives the next step, 0 when there is no file."""
    if not path.exists():
        return 0
    from safetensors import safe_open

    tensors = load_file(path)
    for prefix, module in (("model.", model), ("ema.", ema)):
        module.load_state_dict(
            {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
        )
    _restore_optimizers(optimizers, tensors)
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])


def train(
    name: str,
    model: nn.Module,
    loss_of: Callable[[int], Tensor],
    plan: TrainingSchedule,
    folder: Path,
) -> nn.Module:
    """
    Minimise `loss_of(step)` over the model's parameters.

    Args:
        name: names the checkpoint and the log in `folder`.
        model: changed in place.
        loss_of: makes the batch of a step and gives its scalar loss.
        plan: steps, learning rate, seed.
        folder: receives `<name>.safetensors` (resumed from when present) and `<name>.jsonl`.

    Returns: the averaged model (exponential moving average of the weights).
    """
    optimizers = make_optimizers(model, plan)
    ema = copy.deepcopy(model).requires_grad_(False)
    checkpoint = folder / f"{name}.safetensors"
    first = load_checkpoint(checkpoint, model, ema, optimizers)
    started = time.perf_counter()
    with (folder / f"{name}.jsonl").open("a") as log:
        for step in range(first, plan.steps):
            loss = _one_step(model, ema, optimizers, loss_of, plan, step)
            if step % LOG_EVERY == 0:
                row = {
                    "step": step,
                    "loss": round(loss, 4),
                    "elapsed_s": round(time.perf_counter() - started, 1),
                }
                log.write(json.dumps(row) + "\n")
                log.flush()
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == plan.steps:
                save_checkpoint(checkpoint, step + 1, model, ema, optimizers)
    return ema


def _one_step(
    model: nn.Module,
    ema: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    loss_of: Callable[[int], Tensor],
    plan: TrainingSchedule,
    step: int,
) -> float:
    loss = loss_of(step)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    decay = min(plan.ema, (step + 1) / (step + 10))
    with torch.no_grad():
        for averaged, current in zip(ema.parameters(), model.parameters(), strict=True):
            averaged.lerp_(current, 1.0 - decay)
    return float(loss.detach())

"""
The training loop of all three models: schedule, averaging of weights, checkpoints, a log to plot.

An interruption at any moment costs at most `CHECKPOINT_EVERY` steps.
Batches depend only on the seed and the step, so a resumed run gets the same ones as an
uninterrupted one.
Nothing in it is specific to speech.
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
    """Steps and learning rate: linear warm-up, flat share, then a cosine to zero."""

    steps: int
    learning_rate: float
    warmup: int = 150
    flat: float = 0.2
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 7

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        decay_from = self.flat * self.steps
        progress = max(0.0, (step - decay_from) / (self.steps - decay_from))
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def make_optimizers(model: nn.Module, schedule: TrainingSchedule) -> list[torch.optim.Optimizer]:
    """
    Return Muon (Jordan 2024) for the hidden matrices, AdamW for embeddings, norms, biases and
    convolutions.
    """
    matrices: list[nn.Parameter] = []
    other_parameters: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        hidden = parameter.ndim == 2 and not any(
            part in name for part in ("phone", "place", "speaker", "question", "embed", "out")
        )
        (matrices if hidden else other_parameters).append(parameter)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            other_parameters, lr=schedule.learning_rate, betas=(0.9, 0.99), fused=True
        )
    ]
    if matrices:
        muon = torch.optim.Muon(
            matrices, lr=schedule.learning_rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.01
        )
        optimizers.append(muon)
    return optimizers


def _flat_state(optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    flat: dict[str, Tensor] = {}
    for index, optimizer in enumerate(optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            prefix = f"optimizer.{index}.{number}."
            flat |= {
                prefix + key: value for key, value in state.items() if isinstance(value, Tensor)
            }
    return flat


def _restore_optimizers(optimizers: list[torch.optim.Optimizer], flat: dict[str, Tensor]) -> None:
    for index, optimizer in enumerate(optimizers):
        state_dict = optimizer.state_dict()
        for name, value in flat.items():
            if name.startswith(f"optimizer.{index}."):
                _, _, number, key = name.split(".", 3)
                state_dict["state"].setdefault(int(number), {})[key] = value
        optimizer.load_state_dict(state_dict)


def save_checkpoint(
    path: Path, step: int, model: nn.Module, ema: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> None:
    """Write the state of a run, atomically."""
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
    """
    Restore the state from `save_checkpoint`'s file and return the next step, 0 without a file.
    """
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
    schedule: TrainingSchedule,
    folder: Path,
) -> nn.Module:
    """
    Minimise `loss_of(step)` over the model's parameters.

    Args:
        name: of the checkpoint and the log in `folder`.
        model: changed in place.
        loss_of: makes the batch of a step and returns its scalar loss.
        schedule: steps, learning rate, seed.
        folder: receives `<name>.safetensors` (resumed from if present) and `<name>.jsonl`.

    Returns: the averaged model (exponential moving average of the weights).
    """
    optimizers = make_optimizers(model, schedule)
    ema = copy.deepcopy(model).requires_grad_(False)
    checkpoint = folder / f"{name}.safetensors"
    first = load_checkpoint(checkpoint, model, ema, optimizers)
    started = time.perf_counter()
    with (folder / f"{name}.jsonl").open("a") as log:
        for step in range(first, schedule.steps):
            loss = _one_step(model, ema, optimizers, loss_of, schedule, step)
            if step % LOG_EVERY == 0:
                row = {
                    "step": step,
                    "loss": round(loss, 4),
                    "elapsed_s": round(time.perf_counter() - started, 1),
                }
                log.write(json.dumps(row) + "\n")
                log.flush()
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == schedule.steps:
                save_checkpoint(checkpoint, step + 1, model, ema, optimizers)
    return ema


def _one_step(
    model: nn.Module,
    ema: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    loss_of: Callable[[int], Tensor],
    schedule: TrainingSchedule,
    step: int,
) -> float:
    loss = loss_of(step)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    decay = min(schedule.ema, (step + 1) / (step + 10))
    with torch.no_grad():
        for averaged, current in zip(ema.parameters(), model.parameters(), strict=True):
            averaged.lerp_(current, 1.0 - decay)
    return float(loss.detach())

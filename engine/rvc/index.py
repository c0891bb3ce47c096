"""
The index of a voice: content features of its training recordings, of which the nearest replace a
part of the source's.

Published indexes are faiss files, which need that package; here the features themselves are read, a
matrix (N, width) in `index.npy` or, as `features`, in `index.safetensors`. The search is exact,
where faiss visits one cell of the index.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.weights.tensor_file import read_tensors

FILES = ("index.npy", "index.safetensors")
FAISS = "*.index"
FEATURES = "features"
NEIGHBOURS = 8
LEAST_DISTANCE = 1e-6
"""Squared; a feature that lies on one of the index weighs all but everything."""
BLOCK = 2**26
"""Distances that are computed at a time: 256 MB."""
MOST_BYTES = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureIndex:
    """The features (N, width), and half their squared norms (N,)."""

    features: Tensor
    half_norms: Tensor

    def mixed(self, content: Tensor, rate: float) -> Tensor:
        """
        Return content (T, width) with `rate` of it replaced by the mean of its nearest features.

        They weigh by the inverse square of their squared distances, as in RVC.
        """
        rows = max(1, BLOCK // len(self.features))
        count = len(content)
        wide = content.float()
        found = [self._nearest(wide[first : first + rows]) for first in range(0, count, rows)]
        return torch.lerp(wide, torch.cat(found), rate).to(content.dtype)

    def _nearest(self, content: Tensor) -> Tensor:
        closeness = content @ self.features.T - self.half_norms
        best = closeness.topk(min(NEIGHBOURS, len(self.features)), dim=1)
        squares = content.square().sum(dim=1, keepdim=True) - 2.0 * best.values
        weights = squares.clamp(min=LEAST_DISTANCE).reciprocal().square()
        weights /= weights.sum(dim=1, keepdim=True)
        return torch.einsum("tk,tkc->tc", weights, self.features[best.indices])


def index_of(features: Tensor) -> FeatureIndex:
    """Return an index of features (N, width)."""
    wide = features.float().contiguous()
    return FeatureIndex(features=wide, half_norms=wide.square().sum(dim=1) / 2.0)


def load_index(folder: Path, width: int) -> FeatureIndex | None:
    """
    Load the index of a voice; None without one.

    Raises: EngineError for a file of faiss alone, and for one that holds no finite matrix of that
    width.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        _refuse_faiss(folder)
        return None
    features = _read_npy(path) if path.suffix == ".npy" else read_tensors(path).get(FEATURES)
    fits = features is not None and features.ndim == 2 and features.is_floating_point()
    if features is None or not fits or features.shape[1] != width or not len(features):
        shape = "none" if features is None else f"{features.dtype} {tuple(features.shape)}"
        raise EngineError(
            f"index {path}: the features are {shape}, expected floating-point numbers of shape "
            f"(N, {width}); convert the voice's own index"
        )
    if not torch.isfinite(features).all():
        raise EngineError(f"index {path} holds NaN or infinity; restore the file")
    return index_of(features)


def _read_npy(path: Path) -> Tensor:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES} bytes")
        stored = np.load(path, mmap_mode="r", allow_pickle=False)  # checks the size that it claims
        return torch.from_numpy(np.array(stored))
    except (OSError, ValueError, TypeError, EOFError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"index {path} cannot be read ({reason}); write it by numpy.save"
        ) from None


def _refuse_faiss(folder: Path) -> None:
    found = next(iter(sorted(folder.glob(FAISS))), None)
    if found is not None:
        raise EngineError(
            f"index {found} is a file of faiss, which is not read here; convert it once where "
            "faiss is installed (docs/evidence/published-checkpoints.md), or move it away"
        )

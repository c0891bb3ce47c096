"""
Read the tensors of a published checkpoint: safetensors, or PyTorch's own format in its restricted
reader, which builds tensors and runs no code of the file.
"""

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.weights.voice import check_stored

ENDINGS = (".safetensors", ".pt", ".bin")
Unwrap = Callable[[Mapping[object, object]], object]


def _as_it_is(content: Mapping[object, object]) -> object:
    return content


def read_tensors(path: Path, unwrap: Unwrap = _as_it_is) -> dict[str, Tensor]:
    """
    Read the tensors of a file by name.

    Args:
        path: the file; its ending tells the format.
        unwrap: returns the mapping of tensors from the file's outermost mapping.

    Raises: EngineError for a file that is missing or unreadable, holds no mapping, or a tensor that
    is not stored in full.
    """
    content = read_content(path)
    return tensors_of(path, unwrap(content) if isinstance(content, Mapping) else content)


def tensors_of(path: Path, content: object) -> dict[str, Tensor]:
    """
    Return the tensors of a mapping that a file holds.

    Raises: EngineError for no mapping, and for a tensor that is not stored in full.
    """
    if not isinstance(content, Mapping):
        raise EngineError(
            f"weights {path} hold {type(content).__name__} where tensors by name belong"
        )
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for name, value in tensors.items():
        check_stored(path, name, value)
    return tensors


def read_content(path: Path) -> Any:
    """
    Read all that a file holds: tensors, numbers, texts, and lists and mappings of them.

    Raises: EngineError for a file that is missing or unreadable, and for one of other objects.
    """
    try:
        return load_file(path) if path.suffix == ".safetensors" else _load_torch(path)
    except FileNotFoundError:
        raise EngineError(
            f"weights {path} do not exist; name a file of a published checkpoint"
        ) from None
    except EngineError:
        raise
    except pickle.UnpicklingError:  # whose message advises to load it without that check
        raise EngineError(
            f"weights {path} cannot be read (they hold other than tensors, of which nothing was "
            "run, or are torn); give a .safetensors, .pt or .bin file"
        ) from None
    except Exception as error:  # the two readers raise anything for a torn file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"weights {path} cannot be read ({reason}); give a .safetensors, .pt or .bin file"
        ) from None


def _load_torch(path: Path) -> Any:
    """
    Load PyTorch's own format, which stores tensors uncompressed.

    Raises: EngineError for a file that unpacks to more than its size.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > path.stat().st_size:
            raise EngineError(
                f"weights {path} unpack to {size} bytes, more than the file has; save them with "
                "torch.save"
            )
    return torch.load(path, map_location="cpu", weights_only=True)

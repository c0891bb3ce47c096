"""How much memory is free: on a GPU as its driver says, else as the system and the control group of this process say."""

from pathlib import Path

import psutil
import torch

GROUP = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device, group: Path = GROUP) -> int:
    """Give the bytes that can still be taken on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    system = int(psutil.virtual_memory().available)
    return min(system, _left_in(group, system))


def _left_in(group: Path, otherwise: int) -> int:
    """Give what a control group (version 2) has left; `otherwise` where it has no limit."""
    try:
        return max(0, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no such group, or "max"
        return otherwise

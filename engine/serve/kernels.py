"""
How many kernels a server keeps: a bound on what it has resident.

oneDNN builds a kernel for every shape of a product, and two caches of 1024 each keep them: its own, and one of torch. Texts
have hundreds of lengths, about twenty kernels each, so both caches fill up with lengths that hardly ever come again, and a
gigabyte is resident in the end. A pass through the models needs its own kernels at every solver step, and nobody else's.
"""

import os

CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Both must be small: a kernel lives as long as either keeps it."""
KEPT = "64"
"""Those of two to four lengths. With 16 a pass was seen to build its kernels at every step anew."""


def keep_few_kernels() -> None:
    """Bound the caches, where whoever started the process has not; to be called before anything is computed."""
    for name in CAPACITIES:
        os.environ.setdefault(name, KEPT)

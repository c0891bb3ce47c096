"""What torch.compile made of our engine's models: which it compiled, how many graphs dynamo holds, what CUDA recorded."""

import sys

from torch import nn


def is_compiled(called: object) -> bool:
    """Tell whether a call goes through torch.compile; asking imports nothing."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return dynamo is not None and isinstance(called, dynamo.OptimizedModule)


def compiled_from(called: object, model: nn.Module) -> nn.Module | None:
    """Give the module that torch.compile compiled for a call, if that is the model or works with the model's own parameters."""
    if not is_compiled(called):
        return None
    compiled: nn.Module = called._orig_mod  # type: ignore[attr-defined]
    return compiled if any(part is model for part in compiled.modules()) else None


def graphs_of(model: nn.Module) -> int:
    """Count the graphs that dynamo holds for the code of a model."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    return len(_debug_get_cache_entry_list(type(model).forward.__code__))


def graph_breaks() -> int:
    """Count the places where dynamo gave up on a graph in this process so far."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def compiled_graphs() -> int:
    """Count the graphs that dynamo compiled in this process so far."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def recordings() -> int:
    """
    Count what this thread's CUDA graphs cost beside compilation, so far.

    Each length runs once as it is and is recorded at its second time, before it is replayed; neither is known to dynamo.
    """
    trees = sys.modules.get("torch._inductor.cudagraph_trees")
    if trees is None:
        return 0
    from torch._dynamo.utils import counters

    managers = [each.tree_manager for each in getattr(trees.local, "tree_manager_containers", {}).values()]
    run_once = sum(len(each.warmed_up_functions) for each in managers if each is not None)
    return run_once + int(counters["inductor"]["cudagraph_recorded_non_static_inputs"])

"""
What the shim knows of targets, audio, clocks and packages: the names of voxgate that a target uses,
and readings of its own process. Standard library of Python 3.8 alone; sent as text with `shim.py`.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import hashlib
import importlib
import importlib.util
import inspect
import math
import os
import platform
import struct
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import Any, Callable, Iterator

REQUIRED = ("load", "effective", "synthesize")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORMATS = {"f": "float32", "h": "int16"}
"""Sent as they are."""
CONVERTED = "de"
"""Formats of the buffer protocol that are rounded to float32."""
WORK, UNIT_S = [0.1] * 1000, 1e-4
"""A unit of additional work: a sum of a thousand numbers, some 20 us; on a virtual clock 0.1 ms."""
RAW = "Bbc"
"""Bytes without a type are int16 PCM in the order of this machine."""


class HarnessError(ValueError):
    """A refusal in one line, as in voxgate."""


RENAMED = {"asked": "requested", "holds": "in_effect", "why": "reason"}
"""
Fields of an option check: the key in JSON, which is the name in older versions of voxgate, and the
name.
"""


def check_fields(check: Any) -> Any:
    """Return an option check as JSON; one of an older voxgate has the old names."""
    named = {
        old: getattr(check, new if hasattr(check, new) else old) for old, new in RENAMED.items()
    }
    return {"option": check.option, "observed": check.observed, **named}


class OptionCheck:
    """One option as requested and as observed, as in voxgate; old keywords work there too."""

    def __init__(self, *, option: str, observed: str, **more: Any) -> None:
        self.option, self.observed = option, observed
        for old, new in RENAMED.items():
            setattr(self, new, more.pop(old) if old in more else more.pop(new))
        if more:
            raise TypeError(f"an option check has no {', '.join(sorted(more))}")


class StageWork:
    """The amount of work of a stage, as in voxgate."""

    def __init__(self, *, calls: int, rows: int, frames: int) -> None:
        self.calls, self.rows, self.frames = calls, rows, frames


class IsolatedStage:
    """The model of a stage, ready to run by itself, as in voxgate."""

    def __init__(self, *, run: Callable[[], object], work: Any = None) -> None:
        self.run, self.work = run, work


class Target:
    """The defaults of a target, as in voxgate; a target there may subclass it, or need not."""

    imports: tuple[str, ...] = ()
    clock: Any = None
    elsewhere = False
    chunk_boundaries_s: Any = None
    claimed_stages_s: Any = types.MappingProxyType({})
    unmarked: Any = None

    @classmethod
    def check_options(cls, pipeline: str, options: Any) -> None:
        """Accept all."""

    def imports_for(self, cell: Any) -> tuple[str, ...]:
        """Return `imports`."""
        return tuple(getattr(self, "imports", ()))

    def observe(self, request: Any) -> tuple[Any, ...]:
        """Return nothing: nothing is observable."""
        return ()

    def isolated_stages(self, request: Any, watch: Any) -> Any:
        """Synthesise; no stage can run alone."""
        for _ in self.synthesize(request, watch):  # type: ignore[attr-defined]
            pass
        return {}

    def settled(self) -> bool:
        """Return True: it does not compile."""
        return True


STAND_INS = {
    "voxgate": (Target, OptionCheck, HarnessError),
    "voxgate.harness": (Target, OptionCheck, HarnessError),
    "voxgate.harness.errors": (HarnessError,),
    "voxgate.harness.targets": (),
    "voxgate.harness.targets.protocol": (Target, IsolatedStage),
    "voxgate.harness.records": (),
    "voxgate.harness.records.run": (OptionCheck, StageWork),
}


def stand_in() -> None:
    """Provide the names of voxgate that a target's file uses, where voxgate is not installed."""
    spec = importlib.util.find_spec("voxgate")
    if spec is not None and spec.origin is not None:
        return
    for name, members in STAND_INS.items():
        module = types.ModuleType(name, "A stand-in: voxgate runs in another environment.")
        module.__path__ = []
        for member in members:
            setattr(module, member.__name__, member)
        sys.modules[name] = module


class RealTime:
    """Real time, after all queued work of a GPU that torch uses."""

    def seconds(self) -> float:
        """Read the monotonic clock."""
        cuda = cuda_here()
        for number in () if cuda is None else cuda_in_use(cuda):
            cuda.synchronize(number)
        return time.perf_counter()

    def process_age_s(self) -> float:
        """Return seconds since this process was started."""
        ticks = started_ticks()
        if ticks is None:
            return time.process_time()
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, uptime_s - ticks / os.sysconf("SC_CLK_TCK"))


class StageSeconds:
    """Adds up the seconds of each stage, as voxgate's StageWatch does."""

    def __init__(self, clock: Any) -> None:
        self.stages_s: dict[str, float] = {}
        self._clock = clock
        self._open: dict[int, list[str]] = {}
        self._since_s = 0.0
        self._turning = threading.Lock()

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time of the block for `stage`."""
        here = threading.get_ident()
        with self._turning:
            self._turn()
            self._open.setdefault(here, []).append(stage)
            self.stages_s.setdefault(stage, 0.0)
        try:
            yield
        finally:
            with self._turning:
                self._turn()
                self._open[here].pop()

    def _turn(self) -> None:
        now_s = self._clock.seconds()
        inner = [stages[-1] for stages in self._open.values() if stages]
        for stage in inner:
            self.stages_s[stage] += (now_s - self._since_s) / len(inner)
        self._since_s = now_s


def slowed(target: Any, request: Any, watch: Any, slow: Any, clock: Any) -> Iterator[Any]:
    """
    Synthesise; do additional work when the stage is first entered, or at the end, as
    targets/slowdown.py does. Raises HarnessError where the stage is never entered.
    """
    entered: list[str] = []

    def work() -> None:
        with watch("slowed") if slow["apart"] else contextlib.nullcontext():
            for _ in range(slow["units"]):
                if hasattr(clock, "advance"):
                    clock.advance(UNIT_S)
                else:
                    math.fsum(WORK)

    @contextlib.contextmanager
    def slower(stage: str) -> Iterator[None]:
        with watch(stage):
            yield
            if stage == slow["stage"] and stage not in entered:
                work()
            entered.append(stage)

    yield from target.synthesize(request, slower)
    if slow["stage"] == "whole" and not entered:
        work()
    elif slow["stage"] not in entered:
        names = ", ".join(dict.fromkeys(entered)) or "none"
        raise HarnessError(
            f"the target has no stage {slow['stage']!r} to slow down; its stages are {names}"
        )


def find_target(name: str) -> Any:
    """Import what a target's name means here. Raises HarnessError if it lacks a method."""
    module, _, attribute = name.partition(":")
    if attribute:
        found = getattr(importlib.import_module(module), attribute)
    else:
        from importlib.metadata import entry_points

        points: Any = entry_points()
        group = "voxgate.targets"
        group_points = (
            points.select(group=group) if hasattr(points, "select") else points.get(group, ())
        )
        known = {point.name: point for point in group_points}
        if name not in known:
            raise HarnessError(f"unknown target {name!r}; name a class: package.module:Class")
        found = known[name].load()
    lacking = [
        method
        for method in REQUIRED
        if inspect.isclass(found)
        and (
            not callable(getattr(found, method, None))
            or method in getattr(found, "__abstractmethods__", ())
        )
    ]
    if lacking:
        raise HarnessError(
            f"target {name!r} lacks {', '.join(lacking)}; a target must have these methods"
        )
    return found


def audio_of(chunk: Any) -> tuple[str, int, bytes]:
    """
    Return dtype, samples and bytes of a chunk of mono audio: of anything with a buffer, of a torch
    tensor on the CPU, of numbers in a list.
    """
    if hasattr(chunk, "data_ptr") and hasattr(chunk, "element_size"):
        return _tensor_audio(chunk)
    try:
        view = memoryview(chunk)
    except TypeError:
        numbers = chunk.tolist() if hasattr(chunk, "tolist") else chunk
        if not isinstance(numbers, (list, tuple)):
            raise TypeError(
                f"synthesize yielded {type(chunk).__name__}; yield float32 or int16 audio (T,)"
            ) from None
        _check_shape((len(numbers),) if not isinstance(numbers[0], (list, tuple)) else (1, 1))
        whole = all(isinstance(number, int) for number in numbers)
        packed = array.array("h" if whole else "f", numbers)
        return FORMATS[packed.typecode], len(packed), packed.tobytes()
    _check_shape(view.shape or ())
    kind = view.format.lstrip("@=" + ("<" if sys.byteorder == "little" else ">"))
    if kind in FORMATS:
        return FORMATS[kind], view.shape[0], view.tobytes()  # type: ignore[index]
    if kind in tuple(CONVERTED):
        count = view.nbytes // view.itemsize
        packed = array.array("f", struct.unpack(f"={count}{kind}", view.tobytes()))
        return "float32", len(packed), packed.tobytes()
    if kind in tuple(RAW) and view.nbytes % 2 == 0:
        return "int16", view.nbytes // 2, view.tobytes()
    raise TypeError(f"audio of format {view.format!r}, {view.nbytes} bytes; use float32 or int16")


def _tensor_audio(tensor: Any) -> tuple[str, int, bytes]:
    if str(tensor.device) != "cpu":
        raise TypeError(
            f"audio is on {tensor.device}; yield it on the CPU, so that the transfer is timed"
        )
    _check_shape(tuple(tensor.shape))
    dtype = str(tensor.dtype).rpartition(".")[2]
    plain = tensor.detach()
    plain = (plain if dtype in FORMATS.values() else plain.float()).contiguous()
    raw = ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size())
    return dtype if dtype in FORMATS.values() else "float32", plain.numel(), raw


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 1:
        raise ValueError(f"audio has shape {shape}; synthesize yields mono audio of shape (T,)")


def cell_of(data: Any) -> Any:
    """Return a cell as a target sees it: its fields, options, slug and label."""
    requests = [types.SimpleNamespace(**request) for request in data["workload"]["requests"]]
    workload = types.SimpleNamespace(**{**data["workload"], "requests": tuple(requests)})
    return types.SimpleNamespace(**{**data, "workload": workload})


def versions(names: list[str]) -> dict[str, object]:
    """Return the versions of Python and packages here, and a digest of all that is installed."""
    from importlib.metadata import distributions

    every = {str(each.metadata["Name"]).lower(): str(each.version) for each in distributions()}
    listed = "".join(f"{name} {every[name]}\n" for name in sorted(every))
    known = {name: every[name.lower()] for name in names if name.lower() in every}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **known,
        "packages": f"{len(every)} ({hashlib.sha256(listed.encode()).hexdigest()[:12]})",
    }


def failure_of(error: BaseException) -> dict[str, Any]:
    """Return an exception as voxgate classifies it, with its last line."""
    names = [kind.__name__ for kind in type(error).__mro__]
    message = (str(error).strip().splitlines() or ["no message"])[0]
    if "HarnessError" in names:
        return {"kind": "refused", "reason": str(error)}
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return {"kind": "disk", "reason": str(error.strerror)}
    frames = traceback.extract_tb(error.__traceback__)
    frame = frames[-1]
    place = f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
    module = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    reason = f"{type(error).__name__}: {message} ({place})"
    return {"kind": "error", "reason": reason, "module": module}


def ability(target: Any, name: str) -> Any:
    """Return a method of the target, or voxgate's default for it."""
    own = getattr(target, name, None)
    return getattr(Target, name).__get__(target) if own is None else own


def cuda_here() -> Any:
    """Return torch.cuda if this process started CUDA; never imports or starts it."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    is_initialized = getattr(cuda, "is_initialized", None)
    return cuda if is_initialized is not None and is_initialized() else None


def cuda_in_use(cuda: Any) -> list[int]:
    """Return the numbers of the GPUs that torch has memory on."""
    count = int(cuda.device_count())
    return [0] if count == 1 else [each for each in range(count) if cuda.memory_reserved(each)]


def started_ticks() -> int | None:
    """Return when this process was started, in ticks since the machine was; None off Linux."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return None


def peak_rss_bytes() -> int | None:
    """Return the largest resident size that this process ever had."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return None


def origin(package: str) -> str | None:
    """Return the folder or file that a package would be imported from."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    place = next(iter(spec.submodule_search_locations or ()), spec.origin)
    return None if place is None else os.path.realpath(place)


def plain_scalar(value: Any) -> Any:
    """Return a number of numpy or torch as a plain one, for JSON."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is no plain text, number or truth value")

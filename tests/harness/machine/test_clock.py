import re
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from voxgate.harness.machine.clock import (
    StageWatch,
    VirtualClock,
    WallClock,
    now_utc_iso,
    peak_cuda_bytes,
)


def test_a_stage_gets_the_time_of_its_blocks() -> None:
    clock = VirtualClock()
    watch = StageWatch(clock)
    for duration_s in (1.0, 2.0):
        with watch("vocoder"):
            clock.advance(duration_s)
        clock.advance(10.0)
    assert watch.stages_s == {"vocoder": 3.0}


def test_a_stage_inside_a_stage_counts_once() -> None:
    clock = VirtualClock()
    watch = StageWatch(clock)
    with watch("outer"):
        clock.advance(1.0)
        with watch("inner"):
            clock.advance(4.0)
        clock.advance(2.0)
    assert watch.stages_s == {"outer": 3.0, "inner": 4.0}


def test_a_stage_that_fails_is_closed() -> None:
    clock = VirtualClock()
    watch = StageWatch(clock)
    with pytest.raises(KeyError), watch("text"):
        clock.advance(1.0)
        raise KeyError
    clock.advance(5.0)
    with watch("text"):
        clock.advance(1.0)
    assert watch.stages_s == {"text": 2.0}


def test_real_time_goes_forward() -> None:
    clock = WallClock()
    assert clock.seconds() <= clock.seconds()
    assert clock.process_age_s() > 0


def test_a_peak_grows_with_what_a_fresh_process_takes() -> None:
    """In a process of its own: this one may have peaked higher before."""
    code = """
from voxgate.harness.machine.clock import peak_cuda_bytes, peak_rss_bytes

before = peak_rss_bytes()
block = bytearray(64 * 1024**2)
assert peak_rss_bytes() >= before + len(block) // 2
assert peak_cuda_bytes() is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dates_are_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now_utc_iso())


class Gpus:
    """
    Stands in for `torch.cuda` of a machine with some GPUs; what is not named is the first, as in
    torch.
    """

    def __init__(self, *peaks_bytes: int, initialised: bool = True) -> None:
        self.peaks_bytes = peaks_bytes
        self.initialised = initialised
        self.waited_for: list[int] = []

    def is_initialized(self) -> bool:
        return self.initialised

    def device_count(self) -> int:
        return len(self.peaks_bytes)

    def memory_reserved(self, number: int = 0) -> int:
        return self.peaks_bytes[number]

    def max_memory_allocated(self, number: int = 0) -> int:
        return self.peaks_bytes[number]

    def synchronize(self, number: int = 0) -> None:
        self.waited_for.append(number)


@pytest.mark.parametrize(
    ("gpus", "waited_for", "peak_bytes"),
    [
        (Gpus(5), [0], 5),
        (Gpus(0, 7), [1], 7),
        (Gpus(3, 0, 4), [0, 2], 7),
        (Gpus(5, initialised=False), [], None),
    ],
    ids=["the only one", "the second of two", "two of three", "CUDA was never started"],
)
def test_the_gpus_that_are_in_use_are_waited_for_and_counted(
    gpus: Gpus, waited_for: list[int], peak_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A clock that waits for the first GPU while the second works tells how long it takes to ask for
    the work.
    """
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=gpus))
    WallClock().seconds()
    assert gpus.waited_for == waited_for
    assert peak_cuda_bytes() == peak_bytes


def test_time_in_which_several_threads_are_in_stages_is_shared_out_among_them() -> None:
    """So the stages never add up to more than the whole, however many workers there are."""
    clock = VirtualClock()
    watch = StageWatch(clock)
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with watch("vocoder"):
            inside.set()
            assert leave.wait(60.0)

    thread = threading.Thread(target=other)
    with watch("acoustic"):
        clock.advance(1.0)
        thread.start()
        assert inside.wait(60.0)
        clock.advance(4.0)
        with watch("inner"):
            clock.advance(2.0)
        leave.set()
        thread.join()
        clock.advance(1.0)
    assert watch.stages_s == {"acoustic": 4.0, "vocoder": 3.0, "inner": 1.0}

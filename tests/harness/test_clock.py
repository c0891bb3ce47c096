import re
import subprocess
import sys
import threading

import pytest

from harness.clock import StageWatch, VirtualClock, WallClock, now_utc_iso


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
from harness.clock import peak_cuda_bytes, peak_rss_bytes

before = peak_rss_bytes()
block = bytearray(64 * 1024**2)
assert peak_rss_bytes() >= before + len(block) // 2
assert peak_cuda_bytes() is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dates_are_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now_utc_iso())


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

"""
How far does the memory of a process that speaks grow, and what holds it?

    python -m tests.engine.serve.memory_growth [--requests 300] [--repeat] [--option nfe_steps=1
    ...]

Texts of random length at random speed, so that nearly every chunk has a length of its own, are
spoken piece by piece in a thread beside the main one, as a server does; with `--repeat` a few texts
over and over. Prints, in MiB, what is resident, of that what the C library has given out, and what
it keeps though nobody uses it (libraries map the rest themselves); and the speaking thread's CPU
time. The libraries are set from outside: ONEDNN_PRIMITIVE_CACHE_CAPACITY and LRU_CACHE_CAPACITY
(how many kernels oneDNN and torch keep), MALLOC_ARENA_MAX, MALLOC_TRIM_THRESHOLD_. Linux, glibc.
"""

import argparse
import ctypes
import random
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import psutil
import torch

from voxgate.engine.config import FlowConfig, typed
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.suite.workload import load_workload

MIB = 2**20
SHOWN = (1, 3, 6, 12, 25, 50, 100, 150, 200, 250)
"""After how many requests a line is printed, and then after every 50."""
REPEATED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Bytes."""

    resident: int
    given_out: int
    kept: int
    arenas: int

    def line(self) -> str:
        """Return a row of the table."""
        mib = (f"{size / MIB:8.1f}" for size in (self.resident, self.given_out, self.kept))
        return f"{'  '.join(mib)}  {self.arenas:6d}"


def read() -> Reading:
    """Read what is resident, and what malloc has of it in all its arenas."""
    with tempfile.NamedTemporaryFile() as file:
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        root = ElementTree.fromstring(Path(file.name).read_text())
    kept = sum(
        int(each.get("size", 0))
        for each in root.findall("total")
        if each.get("type") in ("fast", "rest")
    )
    mapped = sum(
        int(each.get("size", 0)) for each in root.findall("total") if each.get("type") == "mmap"
    )
    arenas = sum(
        int(each.get("size", 0)) for each in root.findall("system") if each.get("type") == "current"
    )
    return Reading(
        resident=psutil.Process().memory_info().rss,
        given_out=arenas - kept + mapped,
        kept=kept,
        arenas=len(root.findall("heap")),
    )


def texts(count: int, repeat: bool) -> list[tuple[str, float]]:
    """Return texts with a speed each: runs of the sentences of the workload `serving`."""
    rng = random.Random(1)
    words = " ".join(request.text for request in load_workload("serving").requests).split()
    found = []
    for _ in range(REPEATED if repeat else count):
        length = rng.randint(4, 60)
        start = rng.randrange(len(words) - length)
        found.append((" ".join(words[start : start + length]), rng.uniform(0.7, 1.4)))
    return [found[index % len(found)] for index in range(count)]


def speak(pipeline: FlowPipeline, asked: list[tuple[str, float]]) -> None:
    """Speak all, and print."""
    lengths: set[tuple[int, ...]] = set()
    pipeline.voice.dit.register_forward_pre_hook(
        lambda _module, inputs: lengths.add(tuple(inputs[0].shape))
    )
    print("requests  shapes  resident  given out  kept free  arenas   CPU s")
    print(f"{0:8d}  {0:6d}  {read().line()}  {0.0:6.1f}")
    spent_s = 0.0
    for number, (text, speed) in enumerate(asked, start=1):
        began_s = time.thread_time()
        for _ in pipeline.segments(text, {"speed": speed}):
            pass
        spent_s += time.thread_time() - began_s
        if number in SHOWN or number % 50 == 0:
            print(f"{number:8d}  {len(lengths):6d}  {read().line()}  {spent_s:6.1f}", flush=True)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument(
        "--repeat", action="store_true", help=f"the same {REPEATED} texts over and over"
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the engine"
    )
    words = parser.parse_args()
    options = typed(dict(each.split("=", 1) for each in words.option), FlowConfig)
    pipeline = FlowPipeline.load({"nfe_steps": 1, **options})
    print(f"torch {torch.__version__}, {pipeline.config.threads} threads, {options}")
    thread = threading.Thread(target=speak, args=(pipeline, texts(words.requests, words.repeat)))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()

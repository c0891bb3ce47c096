"""
Renders docs/evidence/engine-speed.md from what `speed_beside_reference.py` measured. Computes
ratios and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from tests.studies.roofline import Machine, Work, median
from voxgate.harness.machine.identity import machine as this_machine

if TYPE_CHECKING:
    from tests.studies.speed_beside_reference import Result

AIM = 1.5
"""Times as fast as the package, at equal output."""
NEAR_ROOFLINE = 2.0
MOST_RSS_BYTES = 1e9
STAGES = ("acoustic", "vocoder")


def page(
    machine: Machine,
    results: Sequence["Result"],
    embedded: Mapping[str, Any],
    *,
    device: str,
    threads: int,
) -> str:
    """Return the whole page."""
    lines = [*_head(device, threads), *_times(machine, results), *_outputs(results)]
    lines += [*_roofline(machine, results, embedded), *_shares(results), *_embedded(embedded)]
    return "\n".join(lines)


def ratios(result: "Result", stage: str) -> list[float]:
    """Return our speed-up, one value per round of two runs each, over a stage or "both"."""

    def seconds(runs: list[dict[str, float]], first: int) -> float:
        return sum(
            sum(run.values()) if stage == "both" else run[stage] for run in runs[first : first + 2]
        )

    return [
        seconds(result.theirs, first) / seconds(result.ours, first)
        for first in range(0, len(result.ours), 2)
    ]


def _head(device: str, threads: int) -> Iterator[str]:
    here = this_machine()
    on = (
        f"{here['cores']} CPUs of an {here['cpu_model']}, {here['ram_gib']} GiB"
        if device == "cpu"
        else str(here["gpus"])
    )
    yield "# Is this engine faster than the published one, at equal output?"
    yield ""
    yield (
        "```\npython tests/studies/speed_beside_reference.py FOLDER > "
        "docs/evidence/engine-speed.md\n```"
    )
    yield ""
    yield (
        f"Measured on {on}, torch {torch.__version__}, {device}, {threads} thread(s), fp32, eager. "
        "The packages f5-tts and vocos from PyPI make models of random weights by their code; this "
        "engine loads the same weights. Both speak the same (noise, text, a second of reference "
        "mel, guidance 2 in one batch, Euler, sway -1) in one process, in rounds of ours, theirs, "
        "theirs, ours. `small` has the sizes of the embedded voice, `base` those of F5TTS_v1_Base; "
        "the vocoder is that of vocos-mel-24khz. No weights were downloaded. "
        + ("CUDA was not measured: no device was at hand." if device == "cpu" else "")
    )
    yield ""


def _times(machine: Machine, results: Sequence["Result"]) -> Iterator[str]:
    yield "## Side by side"
    yield ""
    yield (
        "Milliseconds are medians over runs; ratios are medians over rounds, with the smallest and "
        "the largest. 'At most' is what the roofline below would give: no arithmetic that says the "
        "same is quicker than that."
    )
    yield ""
    yield (
        "| model | frames | NFE | stage | runs each | ours ms | theirs ms | times as fast | at "
        f"most | aim {AIM:g} |"
    )
    yield "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for result in results:
        for stage in (*STAGES, "both"):
            found = ratios(result, stage)
            ours, theirs = (_median_ms(runs, stage) for runs in (result.ours, result.theirs))
            yield (
                f"| {result.case.name} | {result.case.frames} | {result.case.steps} | {stage} | "
                f"{len(result.ours)} | {ours:.0f} | {theirs:.0f} | {median(found):.2f} "
                f"[{min(found):.2f} {max(found):.2f}] | "
                f"{theirs / _least_ms(machine, result, stage):.2f} | "
                f"{'met' if median(found) >= AIM else 'missed'} |"
            )
    yield ""


def _least_ms(machine: Machine, result: "Result", stage: str) -> float:
    calls = {"acoustic": result.case.steps, "vocoder": 1}
    return 1e3 * sum(
        n * result.work[each].least_s(machine)
        for each, n in calls.items()
        if stage in (each, "both")
    )


def _median_ms(runs: list[dict[str, float]], stage: str) -> float:
    return 1e3 * median([sum(run.values()) if stage == "both" else run[stage] for run in runs])


def _outputs(results: Sequence["Result"]) -> Iterator[str]:
    told = "; ".join(
        f"{r.case.name}: mel {r.mel_apart:.1e}, audio {r.audio_apart:.1e}" for r in results
    )
    yield f"Largest differences of the outputs: {told}. The limit is 1e-4."
    yield ""


def _roofline(
    machine: Machine, results: Sequence["Result"], embedded: Mapping[str, Any]
) -> Iterator[str]:
    yield "## Roofline"
    yield ""
    yield (
        f"This machine: a matrix product of 2048 x 2048 runs at {machine.flops_per_s / 1e9:.0f} "
        f"GFLOP/s, a copy of 256 MiB at {machine.bytes_per_s / 1e9:.1f} GB/s (read and written), "
        "the best of 7 each. Work is counted for one call: multiplications and additions of "
        "matrix products, attention and convolutions (the inverse Fourier transform counts for "
        "nothing), and the bytes if every layer read its input and weights and wrote its output "
        "once. The roofline is the longer of the two at full speed; the aim is within "
        f"{NEAR_ROOFLINE:g} times of it."
    )
    yield ""
    yield (
        "| model | stage | GFLOP | GFLOP/s | MB | GB/s | times the roofline | aim "
        f"{NEAR_ROOFLINE:g} |"
    )
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for name, stage, work, seconds in _stages(results, embedded):
        above = seconds / work.least_s(machine)
        yield (
            f"| {name} | {stage} | {work.flops / 1e9:.2f} | {work.flops / seconds / 1e9:.0f} | "
            f"{work.moved_bytes / 1e6:.0f} | {work.moved_bytes / seconds / 1e9:.1f} | {above:.2f} |"
            f" {'met' if above <= NEAR_ROOFLINE else 'missed'} |"
        )
    yield ""


def _stages(
    results: Sequence["Result"], embedded: Mapping[str, Any]
) -> Iterator[tuple[str, str, Work, float]]:
    """Return name, stage, work and seconds of one call of each of our models."""
    for result in results:
        for stage in STAGES:
            calls = result.case.steps if stage == "acoustic" else 1
            yield (
                result.case.name,
                stage,
                result.work[stage],
                median([run[stage] for run in result.ours]) / calls,
            )
    for stage in STAGES:
        calls = embedded["steps"] if stage == "acoustic" else 1
        seconds = median([each[stage] for each in embedded["spent"]]) / calls
        yield "embedded voice", stage, Work(**embedded["work"][stage]), seconds


def _shares(results: Sequence["Result"]) -> Iterator[str]:
    yield "## Where the time goes"
    yield ""
    kinds = [*next(iter(results[0].shares.values()))]
    yield f"| model, side, stage | {' | '.join(kinds)} |"
    yield f"| --- |{' ---: |' * len(kinds)}"
    for result in results:
        for name, shares in result.shares.items():
            yield (
                f"| {result.case.name}, {name} | "
                f"{' | '.join(f'{100 * shares[kind]:.0f} %' for kind in kinds)} |"
            )
    yield ""
    yield (
        "One profiled run each, by the profiler of torch, whose own cost counts for the many small "
        "operators."
    )
    yield ""


def _embedded(embedded: Mapping[str, Any]) -> Iterator[str]:
    rss_bytes = embedded["rss_bytes"]
    spent = " and ".join(
        f"{stage} {1e3 * median([each[stage] for each in embedded['spent']]):.0f} ms"
        for stage in STAGES
    )
    yield "## Memory of the embedded voice"
    yield ""
    yield (
        f"A process that loads the embedded voice and speaks {embedded['audio_s']:.1f} s at NFE "
        f"{embedded['steps']}, compile off, holds {rss_bytes / 1e6:.0f} MB at most "
        f"({'met' if rss_bytes < MOST_RSS_BYTES else 'missed'}: below 1 GB); {spent}, medians of "
        f"{len(embedded['spent'])}."
    )

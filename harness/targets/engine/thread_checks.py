"""
Option checks of threads: `workers`, and each worker's share of `threads`.

`option_checks` lists them.
"""

from voxgate.harness.targets.engine.flow_observer import SynthesisObservation
from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.protocol import Options


def workers(options: Options, seen: SynthesisObservation) -> Observation:
    """
    Check that as many passes ran at one time as requested, or as there are, each in a thread of its
    own.
    """
    crowd = seen.crowd
    alone = 1 if int(options.get("first_chunk_characters", 0)) else 0
    lanes = crowd.lanes[alone:]
    expected = min(int(options["workers"]), len(lanes))
    met = crowd.most == expected if expected > 1 else crowd.most <= 1
    first = ", and the first alone" if crowd.lanes[:alone] else ""
    return Observation(
        observed=f"threads {len(set(lanes))}, at one time {crowd.most}, passes {len(lanes)}{first}",
        in_effect=met
        and len(set(lanes)) == expected
        and set(crowd.vocoder_lanes) == set(crowd.lanes),
        reason="threads inside of the models' arithmetic; one pass has no neighbour to be spoken "
        "beside",
    )


def threads(options: Options, seen: SynthesisObservation) -> Observation:
    """
    Check that the caller's thread has all threads of the arithmetic, and each worker and session
    its share.
    """
    whole, workers = int(options["threads"]), int(options.get("workers", 1))
    share = whole if workers == 1 else max(1, whole // workers)
    sessions = {run.threads for run in (*seen.acoustic.sessions, *seen.vocoder.sessions)}
    passes = list(zip(seen.crowd.lanes, seen.crowd.threads, strict=True))
    shared = {*sessions, *(count for lane, count in passes if lane)}
    own = {seen.threads, *(count for lane, count in passes if not lane)}
    return Observation(
        observed=" and ".join(map(str, sorted(shared | own))),
        in_effect=own == {whole} and shared <= {share},
        reason="torch's own count, and that of every session" if sessions else "torch's own count",
    )

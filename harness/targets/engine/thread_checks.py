"""
Holds the threads that passes were seen in against those that were asked for: `workers`, and the
share of `threads` in each.

Each public check has the form of those in `engine_effects`, which lists them.
"""

from harness.targets.engine.observer import SynthesisObservation
from harness.targets.protocol import Observation, Options


def workers(options: Options, seen: SynthesisObservation) -> Observation:
    """
    As many passes at one time as were asked for and as there are, and no more, each in a thread of
    its own.
    """
    crowd = seen.crowd
    alone = 1 if int(options.get("first_chunk_characters", 0)) else 0
    lanes = crowd.lanes[alone:]
    wanted = min(int(options["workers"]), len(lanes))
    met = crowd.most == wanted if wanted > 1 else crowd.most <= 1
    first = ", and the first alone" if crowd.lanes[:alone] else ""
    return Observation(
        observed=f"threads {len(set(lanes))}, at one time {crowd.most}, passes {len(lanes)}{first}",
        holds=met and len(set(lanes)) == wanted and set(crowd.vocoder_lanes) == set(crowd.lanes),
        why="threads inside of the models' arithmetic; one pass has no neighbour to be spoken "
        "beside",
    )


def threads(options: Options, seen: SynthesisObservation) -> Observation:
    """
    The caller's thread has all of the arithmetic's threads; each worker, and every session, has its
    share.
    """
    whole, count = int(options["threads"]), int(options.get("workers", 1))
    share = whole if count == 1 else max(1, whole // count)
    sessions = {each.threads for each in (*seen.acoustic.sessions, *seen.vocoder.sessions)}
    passes = list(zip(seen.crowd.lanes, seen.crowd.threads, strict=True))
    shared = {*sessions, *(found for lane, found in passes if lane)}
    mine = {seen.threads, *(found for lane, found in passes if not lane)}
    return Observation(
        observed=" and ".join(map(str, sorted(shared | mine))),
        holds=mine == {whole} and shared <= {share},
        why="torch's own count, and that of every session" if sessions else "torch's own count",
    )

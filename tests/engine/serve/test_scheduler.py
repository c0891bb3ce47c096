"""The order of steps, fairness and freedom from starvation, under a simulated clock."""

import random

import pytest

from tests.engine.serve.world import World, done
from voxgate.engine.serve.scheduler import (
    HEAD_START_S,
    PATIENCE_S,
    DeadlineQueue,
    schedule_batch,
    schedule_stream,
)

TURN_S = 1.0
"""Duration of a step in these tests, unless given."""
MANY = 200


class Idle:
    """Work that does nothing."""

    ready = True

    def __init__(self, active=True):
        self.active = active

    def step(self):
        return None


def names(world):
    return [each.name for each in world.heard]


def test_of_what_is_due_at_the_same_instant_the_first_to_come_goes_first():
    queue, works = DeadlineQueue(), [Idle() for _ in range(5)]
    for work in works:
        queue.put(schedule_stream(work, 7.0))

    assert [queue.pop().job for _ in range(5)] == works and len(queue) == 0


def test_what_nobody_wants_any_more_goes_before_all_others():
    queue, active, unwanted = DeadlineQueue(), Idle(), Idle()
    queue.put(schedule_stream(active, 0.0))
    queue.put(schedule_batch(unwanted, 100.0))
    unwanted.active = False

    assert queue.pop().job is unwanted and queue.pop().job is active


def test_a_listener_runs_dry_when_the_pieces_so_far_have_played_and_a_silence_moves_all_that_follows():  # noqa: E501
    first = schedule_stream(Idle(), 10.0).reschedule(12.0, 6.0)
    early, late = first.reschedule(13.0, 5.0), first.reschedule(20.0, 5.0)

    assert (first.due_s, early.due_s, late.due_s) == (18.0, 23.0, 25.0)


@pytest.mark.parametrize(
    ("silent_s", "newcomer_first"),
    [(-1.0, True), (HEAD_START_S - 0.1, True), (HEAD_START_S + 0.1, False)],
)
def test_a_newcomer_goes_before_one_who_ran_dry_unless_that_was_long_before_he_came(
    silent_s, newcomer_first
):
    queue, dry, newcomer = DeadlineQueue(), Idle(), Idle()
    queue.put(schedule_stream(dry, 0.0).reschedule(4.0, 6.0))  # dry at 10
    queue.put(schedule_stream(newcomer, 10.0 + silent_s))

    assert (queue.pop().job is newcomer) == newcomer_first


def test_newcomers_are_heard_in_the_order_in_which_they_came_and_then_the_one_who_runs_dry_first():
    world = World()
    world.comes("a", [(TURN_S, 9.0)] + [(TURN_S, 5.0)] * 2)  # dry at 10, 15
    world.comes("b", [(TURN_S, 4.0)] + [(TURN_S, 5.0)] * 2)  # dry at 6, 11
    world.comes("c", [(TURN_S, 3.5)] + [(TURN_S, 5.0)] * 2, at_s=0.5)  # dry at 6.5, 11.5

    assert names(world.run()) == ["a", "b", "c", "b", "c", "a", "b", "c", "a"]


def test_a_newcomer_is_heard_next_whoever_plays():
    world = World()
    for name in "abc":
        world.comes(name, [(TURN_S, 6.0)] * 10)
    world.comes("late", [(TURN_S, 6.0)] * 2, at_s=20.5)

    (first, _) = world.run().of("late")
    assert first.at_s == 22.0  # the turn that was under way, and its own


def test_a_stream_alone_gets_every_turn():
    world = World()
    world.comes("alone", [(TURN_S, 6.0)] * 4)

    assert [each.at_s for each in world.run().of("alone")] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("count", [2, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_nobody_runs_dry_where_a_piece_plays_at_least_as_long_as_one_of_everybody_takes(
    count, seed
):
    rng, world = random.Random(seed), World()
    for number in range(count):
        pieces = [(TURN_S, count * TURN_S + rng.choice([0.0, 2.0]))] * rng.randint(12, 20)
        world.comes(str(number), pieces, at_s=0.0 if number == 0 else rng.uniform(0.0, 10.0))
    world.run()

    assert len(world.works) == count and all(done(work.future) for work in world.works.values())
    assert [world.underruns_s(name) for name in world.works] == [[]] * count


def test_a_quick_engine_keeps_all_listeners_supplied_although_pieces_differ():
    world = World()
    for name, cost_s, audio_s in (
        ("a", 0.2, 3.0),
        ("b", 0.9, 7.0),
        ("c", 0.5, 4.0),
        ("d", 0.3, 2.5),
    ):
        world.comes(name, [(cost_s, audio_s)] * 30)
    world.run()

    assert [world.underruns_s(name) for name in "abcd"] == [[]] * 4


def test_where_the_engine_is_too_slow_all_listeners_bear_it_alike():
    world = World()
    for name in "abcd":
        world.comes(name, [(TURN_S, 2.0)] * 30)  # twice as much as can be spoken
    world.run()

    silences_s = [sum(world.underruns_s(name)) for name in "abcd"]
    assert max(silences_s) - min(silences_s) <= 4 * TURN_S < min(silences_s)


def flood(world, until, number=0):
    """Add texts of one segment, one per step, until a condition holds."""
    assert number < MANY, "starved"
    if not until():
        name = f"flood{number}"
        world.comes(name, [(TURN_S, 3.0)], at_s=world.now_s + TURN_S / 2)
        world.at(world.now_s + TURN_S, lambda: flood(world, until, number + 1))


def test_newcomers_without_end_do_not_starve_one_who_is_being_heard():
    world = World()
    world.comes("heard", [(TURN_S, 3.0)] * 5)
    world.comes("queued", [(TURN_S, 3.0)])  # so that somebody waits always
    world.at(0.0, lambda: flood(world, lambda: len(world.of("heard")) == 5))
    world.run()

    silences_s = world.underruns_s("heard")
    # newcomers at most: one from the start, and one more for each piece that was given instead
    waiting = 6
    # the turn under way, and the own
    assert silences_s and max(silences_s) <= HEAD_START_S + (waiting + 2) * TURN_S


def test_newcomers_without_end_do_not_starve_a_batch():
    world = World()
    world.comes("playing", [(TURN_S, 3.0)] * 2)
    world.batch("batch", 2.0, at_s=0.5)
    world.comes("queued", [(TURN_S, 3.0)])
    world.at(0.0, lambda: flood(world, lambda: world.of("batch")))

    (spoken,) = world.run().of("batch")
    assert spoken.at_s - 2.0 <= 0.5 + PATIENCE_S + HEAD_START_S + 3 * TURN_S


def test_batches_without_end_starve_no_stream_nor_make_one_run_dry_that_a_turn_would_have_supplied():  # noqa: E501
    world, cost_s = World(), PATIENCE_S - TURN_S

    def another(number=0):
        assert number < MANY, "starved"
        if len(world.of("stream")) < 5:
            world.batch(
                f"batch{number}", cost_s, at_s=world.now_s, then=lambda: another(number + 1)
            )

    world.at(0.0, another)
    world.comes("stream", [(TURN_S, 6.0)] * 5, at_s=3.1)
    world.run()

    assert world.of("stream")[0].at_s <= 3.1 + cost_s + TURN_S
    assert world.underruns_s("stream") == [] and len(world.heard) > 15


def test_streams_with_enough_in_hand_let_a_batch_go_first_and_those_about_to_run_dry_do_not():
    world = World()
    world.comes("rich", [(TURN_S, 20.0)] * 3)
    world.comes("poor", [(TURN_S, 2.0)] * 3)
    world.batch("batch", 1.0, at_s=1.5)  # due at 3.5, poor at 4, 6, 8

    assert names(world.run()) == ["rich", "poor", "batch", "poor", "poor", "rich", "rich"]

    other = World()
    other.comes("rich", [(TURN_S, 20.0)] * 2)
    other.comes("poor", [(TURN_S, 1.0)] * 2)
    other.batch("batch", 1.0, at_s=1.5)  # due at 3.5, poor at 3

    assert names(other.run()) == ["rich", "poor", "poor", "batch", "rich"]


def test_a_text_ends_with_its_last_piece_and_does_not_wait_for_another_turn():
    world, ended = World(), []
    world.comes("short", [(TURN_S, 6.0)])
    world.at(
        0.5,
        lambda: world.works["short"].future.add_done_callback(lambda _: ended.append(world.now_s)),
    )
    world.comes("other", [(TURN_S, 2.0)] * 3)
    world.run()

    assert ended == [TURN_S]


def test_an_error_in_one_stream_is_its_own():
    world = World()
    world.comes("good", [(TURN_S, 4.0)] * 3)
    world.comes("bad", [(TURN_S, 4.0), ValueError("no such sound")])
    world.comes("worse", [RuntimeError("nothing at all")])
    world.run()

    assert [len(world.of(name)) for name in ("good", "bad", "worse")] == [3, 1, 0]
    assert done(world.works["good"].future)
    assert str(world.works["bad"].future.exception()) == "no such sound"
    assert str(world.works["worse"].future.exception()) == "nothing at all"


def test_a_listener_who_leaves_gets_no_more_turns_and_ends_before_the_next_turn_of_anybody():
    world, ended = World(), []
    world.comes("stays", [(TURN_S, 4.0)] * 4)
    world.comes("leaves", [(TURN_S, 4.0)] * 4)
    world.comes("never", [(TURN_S, 4.0)] * 4, at_s=2.4)
    world.at(2.5, lambda: world.works["leaves"].cancelled.set())
    world.at(
        2.5, lambda: (world.works["never"].cancelled.set(), world.works["never"].future.cancel())
    )
    world.at(
        0.5,
        lambda: world.works["leaves"].future.add_done_callback(lambda _: ended.append(world.now_s)),
    )
    world.run()

    assert [len(world.of(name)) for name in ("stays", "leaves", "never")] == [4, 1, 0]
    assert ended == [3.0] and world.works["never"].future.cancelled()

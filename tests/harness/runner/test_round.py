from collections import Counter

from voxgate.harness.runner.round import batches, interleave, rotate


def said(cells: str, steps: int) -> str:
    return " ".join("".join(rotate(cells, step)) for step in range(steps))


def test_two_cells_take_turns_as_abba() -> None:
    assert said("AB", 8) == "AB BA BA AB AB BA BA AB"


def test_three_cells_go_through_all_six_orders() -> None:
    assert said("ABC", 6) == "ABC CBA BCA ACB CAB BAC"


def test_every_cell_stands_in_every_place_equally_often() -> None:
    orders = [rotate("ABCDEF", step) for step in range(12)]
    for place in range(6):
        assert set(Counter(order[place] for order in orders).values()) == {2}


def test_turns_go_request_by_request_and_lap_by_lap() -> None:
    script = [
        f"{cell}:{request}{lap}"
        for cell, request, lap, _ in interleave(["A", "B"], ["r", "s"], 2, repeat=0)
    ]
    assert script == ["A:r0", "B:r0", "B:s0", "A:s0", "B:r1", "A:r1", "A:s1", "B:s1"]


def test_the_sides_of_a_cell_are_neighbours_and_go_abba() -> None:
    script = " ".join(
        f"{turn.cell}{turn.side}"
        for turn in interleave(["A", "B"], ["r", "s", "t", "u"], 1, repeat=0, sides=2)
    )
    assert script == "A0 A1 B0 B1 B1 B0 A1 A0 B1 B0 A1 A0 A0 A1 B0 B1"


def test_another_repeat_begins_with_another_cell() -> None:
    assert next(interleave(["A", "B"], ["r"], 1, repeat=1)).cell == "B"


def test_groups_hold_no_more_than_may_live_and_change_from_repeat_to_repeat() -> None:
    assert batches("ABCDE", 2, 0) == [("A", "B"), ("C", "D"), ("E",)]
    assert batches("ABCDE", 2, 1) == [("B", "C"), ("D", "E"), ("A",)]
    assert batches("", 2, 1) == []

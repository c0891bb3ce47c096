from voxgate.engine.training.letters import align, learn, phone_error

WORDS = {
    "cat": ("k", "ae", "t"), "cot": ("k", "aa", "t"), "city": ("s", "ih", "t", "iy"),
    "cell": ("s", "eh", "l"),
    "tack": ("t", "ae", "k"),
    "box": ("b", "aa", "k", "s"), "tax": ("t", "ae", "k", "s"), "nice": ("n", "ay", "s"),
    "can": ("k", "ae", "n"),
}  # fmt: skip


def test_learned_letters_say_the_words_they_learned_from() -> None:
    table = learn(WORDS)
    assert {word: table.pronounce(word) for word in WORDS} == WORDS


def test_learned_letters_carry_over_to_unseen_words() -> None:
    assert learn(WORDS).pronounce("cax") == ("k", "ae", "k", "s")


def test_alignment_gives_each_letter_its_phones_and_leaves_out_the_impossible() -> None:
    aligned = align({"cat": "kat", "at": "at", "c": "kata"})
    assert aligned == {"cat": ["k", "a", "t"], "at": ["a", "t"]}


def test_phone_error_counts_substitutions_insertions_and_deletions() -> None:
    pairs = [
        (("a", "b", "c"), ("a", "x", "c")),
        (("a", "b"), ("a",)),
        (("a",), ("a", "b")),
        (("a",), ("a",)),
    ]
    assert phone_error(pairs) == (3, 7)

"""The cache on a real disk."""

import math
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.scoring.cache import FILE, ScoreCache, cache_key


def test_values_outlive_the_process_that_made_them(tmp_path: Path):
    first = ScoreCache(tmp_path / "cache")
    first.put("a", {"missing": "no"})
    first.put("b", 1.5)
    first.close()
    assert ScoreCache(tmp_path / "cache").get(["a", "b", "c"]) == {"a": {"missing": "no"}, "b": 1.5}


def test_thousands_of_keys_are_found_in_one_call(tmp_path: Path):
    cache = ScoreCache(tmp_path)
    cache.put("k1999", 1.0)
    assert cache.get(f"k{i}" for i in range(2000)) == {"k1999": 1.0}


def test_nan_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        ScoreCache(tmp_path).put("a", math.nan)


def test_a_damaged_file_says_delete_me(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"not a database, far from it" * 100)
    with pytest.raises(HarnessError, match="delete it"):
        ScoreCache(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match="choose another folder"):
        ScoreCache(tmp_path / "file" / "cache")


def test_keys_do_not_run_together():
    assert cache_key("ab", "c") != cache_key("a", "bc")

"""Optimisations: each file is one pass over an untouched model, `apply(...) -> Applied`, and each says what it did and why."""

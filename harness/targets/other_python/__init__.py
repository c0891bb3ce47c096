"""A Python target that runs in an interpreter and an environment of its own, over a pipe."""

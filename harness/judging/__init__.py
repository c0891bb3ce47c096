"""Decide: baseline, comparison, policy, verdicts, and the words that explain them."""

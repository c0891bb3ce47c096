"""
The history: every run, measurement and verdict that was ever appended, in a SQL database; and the
trends read from it.

Builds on the records of measuring and judging; knows no report and starts no measurement.
"""

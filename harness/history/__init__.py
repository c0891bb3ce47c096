"""
The history: every run, measurement and verdict that was ever appended, in a SQL database; and what
is read out of it.

Below it stand the records of measuring and judging; it knows no report and starts no measurement.
"""

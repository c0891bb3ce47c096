"""
The steps from an older schema of the history to this one, in the order of their revisions;
`database.py` takes them.
"""

"""
One file per step. A step that was ever released is never changed; the next one copies the last
file, gives its revision as `down_revision`, and raises `tables.REVISION`. A test holds that all
steps together make exactly `tables.py`.
"""

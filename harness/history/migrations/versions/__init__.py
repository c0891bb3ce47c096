"""
One file per step. A released step is never changed; the next one copies the last file, names its
revision as `down_revision`, and raises `tables.REVISION`. A test checks that all steps together
make exactly `tables.py`.
"""

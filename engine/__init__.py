"""
A small, fast text-to-speech engine.

Every option's effect can be observed from outside.
It does not import the harness that measures it.
"""

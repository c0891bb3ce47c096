"""
A small, fast voice engine whose every option can be seen from outside. It knows nothing of the
harness that measures it.
"""

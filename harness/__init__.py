"""voxgate's harness: did this change make a voice engine slower or worse, and how sure are we?"""

from harness.suite import Suite

__all__ = ["Suite"]

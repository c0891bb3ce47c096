"""A speech server as a target, over HTTP."""

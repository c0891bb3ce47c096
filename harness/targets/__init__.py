"""
What can be measured: our engine, later third-party engines and servers, and a scripted target for
tests.
"""

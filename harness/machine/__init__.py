"""
The measuring machine: identity, clock, power, interference, profiles, and the doctor, which checks
its settings.
"""

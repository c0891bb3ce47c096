"""
Where it was measured: identity, clock, power, interference, profiles, and whether the machine is
fit (the doctor).
"""

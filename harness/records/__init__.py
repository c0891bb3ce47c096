"""
The records that are passed on: cell, measurement, run, verdict. Pure data; every other folder may
import them.
"""

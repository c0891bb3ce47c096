"""
The doctor: is this machine fit to measure on, and why not. One class per check; a table of checks;
one examination.

A check reads facts below an injectable root, so that every board can be tested on any other, and
answers fit, unfit or unknown with the reason. Nothing here changes a setting: a finding carries the
command that a person would run.
"""

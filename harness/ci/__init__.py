"""
What runs inside CI jobs beside the measuring: the comment on a pull request, accepting by a comment, a night and its alarm.

These jobs hold tokens that may write. So nothing is installed for them and nothing of a pull request is run: `python3 -m
harness.ci` needs the standard library alone, and what a measuring job left behind is data.

    github.py         GitHub's API
    artifact.py       the files that another job left behind, read with limits
    pull_request.py   a pull request: found, commented on, given a status
    conclusion.py     the end of the gate's step: outputs, summary, whether it fails
    gate.py         after the gate: comment and status
    accept.py     `/voxgate accept SUITE REASON`: the baseline as a commit, for review
    nightly.py          a night on one machine, recorded in files
    alarm.py          what of a night is worth waking somebody for
    notify.py          an issue that is opened, updated and closed; a webhook
"""

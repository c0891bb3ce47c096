"""
Jobs of CI beside measuring: the comment on a pull request, accepting by a comment, the nightly run
and its alarm.

These jobs hold tokens that may write. So nothing is installed for them and nothing of a pull
request is run: `python3 -m voxgate.harness.ci` needs the standard library alone, and the files of a
measuring job are data.

    github.py         GitHub's API; the files that another job left behind, read with limits
    pull_request.py   a pull request: found, commented on, given a status
    gate.py           the end of the gate's step, and after it: outputs, summary, whether it fails,
                      comment and status
    accept.py         `/voxgate accept SUITE REASON`: the baseline as a commit, for review
    nightly.py        a night on one machine, recorded in files, and what of it is worth waking
                      somebody for
    notify.py         an issue that is opened, updated and closed
    webhook.py        a webhook, with or without GitHub
"""

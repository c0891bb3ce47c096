#!/bin/sh
# A gate for any CI system: compare the branch with the one it is merged into, in turns, on this machine.
# Usage: gate.sh BASE SUITE. Leaves out/comment.md, out/pictures/, out/junit.xml and out/judgement.json.
# Exit code: 0 passed, 1 regressed or failed, 2 wrong use, 3 undecided (reported here, and no failure).
set -u
mkdir -p out
code=0
voxgate ab "$1" HEAD "$2" --profile "${PROFILE:-cpu}" --budget "${BUDGET:-300}" \
    --comment out/comment.md --pictures out/pictures --junit out/junit.xml --json > out/judgement.json || code=$?
if [ "$code" -eq 3 ]; then
    echo "undecided: see out/comment.md" >&2
    exit 0
fi
exit "$code"

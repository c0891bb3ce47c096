#!/bin/sh
# A night for cron, GitLab, Gitea or anything else that runs commands: what nightly-jetson.yml does, without GitHub.
# Usage: night.sh PROFILE SUITE..., in the repository. VOXGATE_HISTORY and VOXGATE_WEBHOOK come from the environment.
# Exit code: 0 nothing wrong, 1 an alarm, 2 wrong use, 3 no data.
set -u
profile=$1
shift
bin=${VOXGATE_BIN:-.venv/bin}
export VOXGATE_HISTORY="${VOXGATE_HISTORY:-sqlite:///runs/history.sqlite}"
rm -rf night
mkdir -p night runs
if "$bin/voxgate" doctor --profile "$profile" --json > night/doctor.json; then
    "$bin/python" -m voxgate.harness.ci measure "$@" --profile "$profile" --folder night
    "$bin/voxgate" doctor --profile "$profile" --json > night/doctor-after.json
fi
"$bin/voxgate" history status --json > night/status.json
"$bin/voxgate" report --site --out site
"$bin/python" -m voxgate.harness.ci alert "$@" --profile "$profile" --folder night --state runs/night.json

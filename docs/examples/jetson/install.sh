#!/bin/sh
# Install into .venv beside NVIDIA's own torch, and keep that torch.
# Usage: install.sh [REQUIREMENT...], as pip takes them; without one, only torch is installed.
# VOXGATE_TORCH        NVIDIA's wheel for this JetPack, as a file or an address; or a requirement such as torch==2.8.0
# VOXGATE_TORCH_INDEX  the index that the requirement is looked up in, and no other
# Leaves .venv/held.txt behind, a constraint for whatever else is installed: PIP_CONSTRAINT="$PWD/.venv/held.txt".
set -eu
python=.venv/bin/python
test -x $python || "${PYTHON:-python3}" -m venv .venv

# pip has no order of indexes: with --extra-index-url the highest version of all wins, and that is PyPI's, which is built for no
# Jetson. So torch comes first, from one place alone, and without its dependencies, which that place need not have.
asked="${VOXGATE_TORCH:-} ${VOXGATE_TORCH_INDEX:-}"
if [ -n "${VOXGATE_TORCH:-}" ] && [ "$asked" != "$(cat .venv/torch-asked 2>/dev/null)" ]; then
  if [ -n "${VOXGATE_TORCH_INDEX:-}" ]; then # neither a variable nor a file of pip's settings may add another place
    PIP_CONFIG_FILE=/dev/null $python -m pip --isolated install --no-deps --pre --index-url "$VOXGATE_TORCH_INDEX" "$VOXGATE_TORCH"
  else
    $python -m pip install --no-deps "$VOXGATE_TORCH"
  fi
  printf '%s' "$asked" > .venv/torch-asked
fi

# A constraint holds it from then on. NVIDIA's versions are pre-releases with a local part, 2.5.0a0+872d972e41.nv24.08: voxgate asks
# for torch>=2.5.0a0, which they meet, and torch>=2.5 they would not.
$python -c '
from importlib import metadata
try:
    print("torch==" + metadata.version("torch"))
except metadata.PackageNotFoundError:
    pass
' > .venv/held.txt
test $# -eq 0 || $python -m pip install --constraint .venv/held.txt "$@"

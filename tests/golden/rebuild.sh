#!/usr/bin/env bash
# Makes the files of tests/golden again that scripts beside them make, each in an environment of its
# own with the versions that the script names; PyTorch alone takes some minutes to install.
#   bash tests/golden/rebuild.sh                      all of them
#   bash tests/golden/rebuild.sh opencv_bilinear.npz  the named ones
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for script in *.py; do
  file=$(sed -n '1s/^"""Writes \([a-z0-9_]*\.npz\):.*/\1/p' "$script")
  if [[ $# -gt 0 && " $* " != *" $file "* ]]; then
    continue
  fi
  echo "== $file"
  folder=$(mktemp -d)
  "${PYTHON:-python3}" -m venv "$folder"
  # shellcheck disable=SC2046  # one argument a package
  "$folder/bin/pip" install --quiet $(sed -n 's/^    pip install //p' "$script")
  "$folder/bin/python" "$script" "$file"
  rm -rf "$folder"
done

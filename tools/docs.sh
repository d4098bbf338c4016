#!/usr/bin/env bash
# Sets up .venv where needed, then builds the documentation's site in site/, where any warning is an
# error.
#   bash tools/docs.sh            build
#   bash tools/docs.sh serve      build, show it on http://127.0.0.1:8000, build again on changes
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"

setup_env
if ! "$PYTHON" -c 'import mkdocs, material, mkdocstrings' 2>/dev/null; then
  step "Installing what builds the documentation into .venv"
  pip_install --editable '.[docs]' >>"$VENV/install.log" 2>&1 ||
    fail "installation failed (log: .venv/install.log)"
fi
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}" PYTHONPATH="$PWD"
exec "$PYTHON" -m mkdocs "${1:-build}" --strict

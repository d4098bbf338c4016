#!/usr/bin/env bash
# Sets up .venv where needed, then does what `tfseg demo` does: draws a small data set, trains
# DRN-D-22 on it, evaluates and predicts, all of it in demo/. Run again, it continues an interrupted
# training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"

if [[ $# -gt 0 ]]; then
  fail "demo.sh takes no arguments; its training settings are in flags/sample/drn_d_22.flags"
fi

setup_env
exec "$PYTHON" -m tfseg demo

#!/usr/bin/env bash
# Sets up .venv where needed, then runs lint, the format check, the type checker and the tests.
#   bash tools/test.sh                    without the tests marked slow
#   bash tools/test.sh --slow             all tests, and more examples of properties
#   bash tools/test.sh tests/data -k crop further arguments go to pytest
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"

markers=(-m "not slow")
arguments=()
for argument in "$@"; do
  if [[ "$argument" == --slow ]]; then
    markers=(--hypothesis-profile=slow)
  else
    arguments+=("$argument")
  fi
done

setup_env
install_crf
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"
step "Lint and format"
"$PYTHON" -m ruff check
"$PYTHON" -m ruff format --check
step "Types"
"$PYTHON" -m mypy
step "Tests"
# Most tests keep one core busy tracing graphs, so several run side by side.
workers=$("$PYTHON" -c 'import os; print(min(os.cpu_count(), 4))')
exec "$PYTHON" -m pytest -q -n "$workers" --dist=worksteal ${markers[@]+"${markers[@]}"} ${arguments[@]+"${arguments[@]}"}

#!/usr/bin/env bash
# Sets up .venv where needed, then builds the wheel and the source distribution in dist/ and checks
# what an index checks, where any warning is an error.
#   TFSEG_URL=https://… bash tools/release.sh    with the repository's address in them
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"

if [[ $# -gt 0 ]]; then
  fail "release.sh takes no arguments; TFSEG_URL is the repository's address"
fi
setup_env
if ! "$PYTHON" -c 'import build, twine' 2>/dev/null; then
  step "Installing build and twine into .venv"
  pip_install 'build>=1.2,<2' 'twine>=6.1,<8' >>"$VENV/install.log" 2>&1 ||
    fail "installation failed (log: .venv/install.log)"
fi
[[ -n "${TFSEG_URL:-}" ]] || echo "TFSEG_URL is not set: the page on an index has no pictures and links"
rm -rf dist build
step "Building"
"$PYTHON" -m build --outdir dist
step "Checking"
"$PYTHON" -m twine check --strict dist/*

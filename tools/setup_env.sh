# Sourced by demo.sh and test.sh: makes .venv with tfseg in it, or reuses the one that is there.
# Leaves the shell in the root of the repository; afterwards `$PYTHON` is the environment's Python.

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

step() {
  printf '\n== %s\n' "$*"
}

# A closed descriptor 0 would be given to the next file a child opens.
{ : <&0; } 2>/dev/null || exec </dev/null

cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV="$PWD/.venv"
PYTHON="$VENV/bin/python"
SUPPORTED='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))'

# Prints the first Python on PATH of a supported version that can make environments.
find_python() {
  local name version seen="" without_venv=""
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    version=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    seen="${seen:-$name is $version}"
    "$name" -c "$SUPPORTED" 2>/dev/null || continue
    if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
      printf '%s\n' "$name"
      return
    fi
    without_venv="${without_venv:-$version}"
  done
  if [[ -n "$without_venv" ]]; then
    fail "Python $without_venv has no venv module; on Debian or Ubuntu:" \
      "sudo apt install python${without_venv%.*}-venv"
  fi
  fail "tfseg needs Python 3.10 to 3.13; ${seen:-there is no python3 on PATH}"
}

# Prints a digest that changes with everything an installation depends on, the place included.
installation_digest() {
  { pwd; "$PYTHON" -VV; cat setup.py requirements.txt pyproject.toml; } | "$PYTHON" -c \
    'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

pip_install() {
  "$PYTHON" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@"
}

# .venv/tfseg-installed holds the digest of a finished installation, or "unfinished" from the
# moment an environment is changed until then: what a killed installation left is made anew.
setup_env() {
  local stamp="$VENV/tfseg-installed" log="$VENV/install.log" python
  if [[ "$(cat "$stamp" 2>/dev/null)" == unfinished ]] ||
    ! "$PYTHON" -c "import pip; $SUPPORTED" >/dev/null 2>&1; then
    python=$(find_python)
    step "Making .venv with $("$python" -VV | head -n 1)"
    "$python" -m venv --clear "$VENV" || fail "could not make $VENV; see the lines above"
  fi
  [[ "$(cat "$stamp" 2>/dev/null)" != "$(installation_digest)" ]] || return 0

  step "Installing tfseg and its dependencies into .venv (2.5 GB of disk; minutes the first time)"
  echo unfinished >"$stamp"
  # The pip of Python 3.10 (23.0) tries combinations of our requirements for ten minutes and more.
  # The test tools are small, so the demo installs them too and both share one environment.
  if ! { pip_install --upgrade 'pip>=25' && pip_install --editable '.[test]'; } >"$log" 2>&1; then
    rm -f "$stamp"
    fail "installation failed (is the network reachable? log: .venv/install.log):" \
      "$(sed -n 's/^.*ERROR: //p' "$log" | tail -n 1)"
  fi
  installation_digest >"$stamp"
}

# The dense CRF's package compiles for a minute: for the tests alone, and where there is a compiler.
# Without it they skip what needs it, and say so.
install_crf() {
  local compiler log="$VENV/install-crf.log"
  ! "$PYTHON" -c 'import pydensecrf.densecrf' 2>/dev/null || return 0
  compiler=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_config_var("CXX") or "c++")')
  if ! command -v "${compiler%% *}" >/dev/null; then
    step "Without dense CRFs: there is no C++ compiler (${compiler%% *})"
    return 0
  fi
  step "Compiling the package for dense CRFs (a minute, once)"
  pip_install --editable '.[crf]' >"$log" 2>&1 ||
    printf 'it failed, so its tests will be skipped; log: .venv/install-crf.log\n'
}

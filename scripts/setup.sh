#!/usr/bin/env bash
# Prepares this machine and .venv for `make run` (argument: run) or `make test` (argument: test).
# Does nothing when all is there already. Asks no questions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATH=:$PATH:
PATH=${PATH//":$PWD/.venv/bin:"/:} # .venv is not made from itself
PATH=${PATH#:}
PATH=${PATH%:}

purpose=${1:-run}
case $purpose in
  run) extras="" ;;
  test) extras="[test]" ;;
  *)
    echo "setup: purpose must be run or test, got '$purpose'" >&2
    exit 2
    ;;
esac

say() { echo "setup: $*" >&2; }
fail() {
  say "$@"
  exit 2
}
has() { command -v "$1" >/dev/null 2>&1; }

# A Python serves if it is new enough, can make virtual environments, and comes as a shared library,
# which is what a simulator loads it from.
serves='
import ctypes, ensurepip, pathlib, sys, sysconfig, venv
assert sys.version_info >= (3, 11)
library = sysconfig.get_config_var("INSTSONAME")
installed = pathlib.Path(sysconfig.get_config_var("LIBDIR"), library)
ctypes.CDLL(str(installed) if installed.exists() else library)
'
find_python() {
  for candidate in python3 python3.11 python3.12 python3.13; do
    if has "$candidate" && "$candidate" -c "$serves" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

# The stamp is written last, so a half-made environment never counts as complete. It holds all that the
# environment was made from; an environment for tests also serves to run.
wanted=$(
  pwd
  sha256sum pyproject.toml constraints.txt
)
complete() { [ -x .venv/bin/python ] && [ "$(cat ".venv/complete-$1" 2>/dev/null)" = "$wanted" ]; }
ready() { complete "$purpose" || complete test; }

missing_packages() {
  has iverilog || echo iverilog
  has yosys || echo yosys
  [ "$purpose" = run ] || has ngspice || echo ngspice
  has g++ || echo g++
  has make || echo make
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] || echo ca-certificates
  ready || [ -n "$(find_python)" ] || echo python3 python3-venv libpython3-dev
}

install_packages() {
  local packages=("$@") as_root=()
  has apt-get || fail "these must be installed, and apt-get is not there to do it: ${packages[*]}"
  if [ "$(id -u)" != 0 ]; then
    has sudo || fail "these must be installed, which takes root or sudo: ${packages[*]}"
    as_root=(sudo)
    [ -t 0 ] || as_root+=(--non-interactive)
  fi
  say "installing ${packages[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2 && "${apt[@]}" install --yes --no-install-recommends "${packages[@]}" >&2 ||
    fail "apt-get could not install: ${packages[*]}"
}

mapfile -t missing < <(missing_packages | tr ' ' '\n')
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
fi

ready && exit 0

python=$(find_python)
[ -n "$python" ] || fail "Python must be 3.11 or newer with venv and its shared library," \
  "got $(python3 --version 2>&1 || true); on Debian and Ubuntu the packages of version 3.11 are" \
  "python3.11-venv and libpython3.11"
say "making .venv with $("$python" --version)"
complete run || "$python" -m venv --clear .venv
rm -f .venv/complete-*
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
  --constraint constraints.txt --editable ".$extras" ||
  fail "the packages of pyproject.toml could not be installed; run this again when the network is there"
echo "$wanted" >".venv/complete-$purpose"

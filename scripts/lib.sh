# shellcheck shell=bash
# What the scripts here share. Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for those who source this
venv=$root/.venv
cd "$root"

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

# wait_for SECONDS COMMAND…: true as soon as the command succeeds, false when the time is over.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# gone PID: whether the process has ended.
gone() { ! kill -0 "$1" 2>/dev/null; }

# --- Python -----------------------------------------------------------------------------------------------------

# python_answers COMMAND MINOR: whether the command really is Python 3.MINOR; a shim that only says "not found" is not.
python_answers() {
  [[ $("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) == "3.$2" ]]
}

# The interpreter everything runs on: 3.11, under either name.
find_python() {
  local name
  for name in python3.11 python3 /usr/bin/python3.11; do
    if python_answers "$name" 11; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 was not found as python3.11 or python3; install it and run this again."
}

# make_venv PYTHON FOLDER LOCK: the folder holds what the lock names, skep itself as an editable install, and byte code
# for all of it (the server's imports take three times as long without). Does nothing when nothing changed.
make_venv() {
  local python=$1 folder=$2 lock=$3 stamp
  stamp=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    sha256sum "$lock" requirements-uv.lock pyproject.toml scripts/lib.sh)
  if [[ -x $folder/bin/skep && -f $folder/stamp && $(<"$folder/stamp") == "$stamp" ]]; then
    return
  fi
  say "Installing $lock into ${folder#"$root"/}"
  rm -f "$folder/stamp"
  "$python" -c 'import ensurepip' 2>/dev/null || need_packages python3-venv
  [[ -x $folder/bin/python && -x $folder/bin/pip ]] || "$python" -m venv --clear "$folder"
  "$folder/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements-uv.lock ||
    die "uv could not be installed from the package index; pip's reason is above."
  install_locked "$folder" "$lock" || die "$lock could not be installed from the package index; uv's reason is above."
  "$folder/bin/python" -m compileall -q src
  printf '%s' "$stamp" >"$folder/stamp"
}

# uv reads no pip settings; a mirror that pip was told of is handed on.
install_locked() {
  local folder=$1 lock=$2 index
  index=$("$folder/bin/pip" config get global.index-url 2>/dev/null || true)
  index=${PIP_INDEX_URL:-$index}
  if [[ -n $index ]]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}; fi
  VIRTUAL_ENV=$folder "$folder/bin/uv" pip install --quiet --no-config --require-hashes --compile-bytecode -r "$lock" &&
    VIRTUAL_ENV=$folder "$folder/bin/uv" pip install --quiet --no-config --no-deps --no-build-isolation --editable .
}

# link_binaries: build/ holds InfraKit's programs, where its documents call them. What is no longer installed goes.
link_binaries() {
  local program
  mkdir -p build
  find build -maxdepth 1 -name 'infrakit*' -type l -delete
  for program in "$venv"/bin/infrakit*; do
    ln -s "../${venv##*/}/bin/${program##*/}" "build/${program##*/}"
  done
  say "InfraKit's programs: $(cd build && echo infrakit*), in build/."
  has vagrant || say "infrakit-instance-vagrant needs Vagrant, which is not here: apt-get install vagrant brings it."
}

# --- Debian packages --------------------------------------------------------------------------------------------

apt_updated=

# need_packages PACKAGE…: install them now; whoever may not is told the command.
need_packages() {
  command -v apt-get >/dev/null || die "Please install what Debian calls $*, and run this again."
  ((EUID == 0)) || die "Please run 'sudo apt-get install -y $*', and run this again."
  say "Installing the packages $*"
  local log
  log=$(mktemp)
  if [[ -z $apt_updated ]]; then
    apt-get -q update >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed; its output is above."; }
    apt_updated=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" >"$log" 2>&1 ||
    { cat "$log" >&2; die "The packages $* could not be installed; apt-get's output is above."; }
  rm -f "$log"
}

# has COMMAND: also where the PATH of a user lacks the folders of the administrator.
has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }

busybox_is_static() { has busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }

# What node and workload images are made of, one package a line, without those that are there.
missing_image_packages() {
  has iptables || echo iptables
  has ip || echo iproute2
  busybox_is_static || echo busybox-static
}

missing_engine_packages() {
  has dockerd || echo docker.io
  # Since Debian 13 the client is a package of its own.
  if ! has docker && apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; fi
}

missing_test_packages() {
  missing_engine_packages
  missing_image_packages
  has mmdebstrap || echo mmdebstrap
  has vagrant || echo vagrant
  has shellcheck || echo shellcheck
}

# need_sshd: the program alone, for tests that start their own. The package's service is not started.
need_sshd() {
  has sshd || without_services need_packages openssh-server
}

# without_services COMMAND…: what is installed meanwhile does not start (invoke-rc.d and systemd ask policy-rc.d).
without_services() {
  local policy=/usr/sbin/policy-rc.d
  if ((EUID != 0)) || [[ -e $policy ]]; then
    "$@"
    return
  fi
  (
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@"
  )
}

# need_missing FUNCTION: install what the function lists.
need_missing() {
  local missing
  mapfile -t missing < <("$1")
  if ((${#missing[@]})); then need_packages "${missing[@]}"; fi
}

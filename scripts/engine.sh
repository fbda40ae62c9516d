# shellcheck shell=bash
# Which Docker Engine this host's machines are made on, and skep's own one where there is no other. Sourced after lib.sh.

if [[ -z ${SKEP_STATE_DIR-} ]]; then
  if ((EUID == 0)); then SKEP_STATE_DIR=/var/lib/skep; else SKEP_STATE_DIR=${XDG_STATE_HOME:-$HOME/.local/state}/skep; fi
fi
export SKEP_STATE_DIR
own=$SKEP_STATE_DIR/engine
# Users' PATH lacks the folders of the administrator, where dockerd, ip and iptables are.
PATH=$PATH:/usr/sbin:/sbin
own_host=unix://$own/docker.sock
python=$(find_python)

# --- processes that left a pid file -----------------------------------------------------------------------------

# alive PIDFILE WORD: whether the process in the file runs and has the word in its command line.
alive() {
  local pid
  [[ -f $1 ]] && pid=$(<"$1") && [[ -n $pid && -r /proc/$pid/cmdline ]] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# stop PIDFILE WORD SECONDS: end the process and wait; one that doesn't listen is killed.
stop() {
  local pid
  if alive "$1" "$2"; then
    pid=$(<"$1")
    kill "$pid" 2>/dev/null || true
    wait_for "$3" gone "$pid" || { kill -KILL "$pid" 2>/dev/null || true; wait_for 5 gone "$pid"; }
  fi
  rm -f "$1"
}

# --- the Engine of this host ------------------------------------------------------------------------------------

# ask_engine HOST FIELD: a field of the Engine's /info.
ask_engine() { "$python" scripts/ask_engine.py "${1#unix://}" /info "$2"; }
answers() { [[ -n $(ask_engine "$1" ID) ]]; }

# What the user's own docker command would talk to, without DOCKER_HOST.
usual_host() {
  local host=
  if has docker; then host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true); fi
  echo "${host:-unix:///var/run/docker.sock}"
}

# The Engine that was chosen by hand, or by an earlier scripts/up; empty when neither was.
chosen_host() {
  if [[ -n ${DOCKER_HOST-} ]]; then
    echo "$DOCKER_HOST"
  elif [[ -f $SKEP_STATE_DIR/docker_host ]]; then
    cat "$SKEP_STATE_DIR/docker_host"
  elif [[ -d $own ]]; then
    echo "$own_host"
  fi
}

refuse_remote() {
  [[ $1 == unix://* ]] ||
    die "The Docker Engine at $1 is not on this host, and machines can only be made on one that is: unset DOCKER_HOST or choose another docker context."
}

refuse_desktop() {
  [[ $(ask_engine "$1" OperatingSystem) != "Docker Desktop" ]] ||
    die "The Docker Engine at $1 is Docker Desktop, in which machines can't be made: run this on a Linux host with a Docker Engine of its own."
}

# --- skep's own Engine ------------------------------------------------------------------------------------------

bridges=(docker0 docker_gwbridge)
bridge_exists() { ip link show dev "$1" >/dev/null 2>&1; }

# What the host had before, so that scripts/down can tell what this Engine brought.
note_network() {
  local bridge
  for bridge in "${bridges[@]}"; do
    bridge_exists "$bridge" || echo "$bridge"
  done >"$own/bridges"
  iptables -S FORWARD 2>/dev/null | head -n 1 >"$own/forward" || true
}

other_engine_runs() {
  local process
  for process in /proc/[0-9]*; do
    [[ $(cat "$process/comm" 2>/dev/null) == dockerd ]] || continue
    if [[ $(readlink "$process/ns/net") == "$(readlink /proc/self/ns/net)" ]]; then return 0; fi
  done
  return 1
}

# Give back what dockerd leaves behind when it ends: bridges, and the policy that cuts forwarded traffic off.
give_back_network() {
  local bridge
  if other_engine_runs; then
    say "Another Docker Engine runs on this host: its bridges stay."
    return
  fi
  while read -r bridge; do
    if bridge_exists "$bridge"; then ip link delete "$bridge"; fi
  done <"$own/bridges"
  if grep -qx -- '-P FORWARD ACCEPT' "$own/forward"; then iptables -P FORWARD ACCEPT; fi
}

start_own_engine() {
  ((EUID == 0)) || die "Only root can start a Docker Engine: run this as root, or start Docker and run it again."
  if alive "$own/pid" "$own" && answers "$own_host"; then return; fi
  ((${#own} + 12 <= 107)) || die "The path of $own/docker.sock is longer than the 107 bytes of a socket: choose a shorter SKEP_STATE_DIR."
  mkdir -p "$own"
  chmod 700 "$SKEP_STATE_DIR" "$own"
  if [[ ! -f $own/bridges ]]; then note_network; fi
  rm -f "$own/pid"
  say "Starting a Docker Engine of skep's own in $own"
  # After a kill, the first one may find its containerd half dead, and ends; the second starts a new one.
  launch_own_engine || launch_own_engine || { tail -n 5 "$own/log" >&2; die "dockerd did not start; its log is $own/log."; }
}

launch_own_engine() {
  # Others have to read what is in images, whatever this script's own umask is.
  (
    umask 022
    exec setsid nohup dockerd --data-root "$own/data" --exec-root "$own/exec" --pidfile "$own/pid" \
      -H "$own_host" >>"$own/log" 2>&1 </dev/null
  ) &
  wait_for 30 answers_or_gone "$own_host" "$!" && answers "$own_host"
}

answers_or_gone() { answers "$1" || gone "$2"; }

# Ends it and removes all that it kept; containers end with it.
remove_own_engine() {
  local mounted
  [[ -d $own ]] || return 0
  say "Stopping skep's own Docker Engine"
  stop "$own/pid" "$own" 30
  if [[ -f $own/bridges ]]; then give_back_network; fi
  while read -r mounted; do umount "$mounted"; done < <(awk -v own="$own/" 'index($2, own) == 1 { print $2 }' /proc/mounts | sort -r)
  rm -rf "$own"
}

# --- finding one ------------------------------------------------------------------------------------------------

# Start what is installed, by the service manager where there is one that does.
start_service() {
  [[ -d /run/systemd/system ]] || return 1
  systemctl start docker >/dev/null 2>&1 || return 1
  wait_for 20 answers unix:///var/run/docker.sock
}

install_engine() {
  ((EUID == 0)) || die "No Docker Engine answers here, and only root can install one: run this as root, or start Docker and run it again."
  grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release ||
    die "No Docker Engine answers here, and it can only be installed by this on Debian and Ubuntu: install Docker and run it again."
  need_missing missing_engine_packages
}

# use_engine: sets and exports DOCKER_HOST, to an Engine on this host that answers.
use_engine() {
  local host status=0
  host=$(chosen_host)
  if [[ $host == "$own_host" ]]; then
    install_engine
    start_own_engine
  elif [[ -n $host ]]; then
    refuse_remote "$host"
    answers "$host" || die "The Docker Engine at $host does not answer: start it, or unset DOCKER_HOST and remove $SKEP_STATE_DIR/docker_host to have one found."
  else
    host=$(usual_host)
    refuse_remote "$host"
    ask_engine "$host" ID >/dev/null || status=$?
    ((status != 3)) || die "You may not use the Docker Engine at $host: run this as root, or join the group docker."
    if ((status)); then
      install_engine
      if start_service; then
        host=unix:///var/run/docker.sock
      else
        host=$own_host
        start_own_engine
      fi
    fi
  fi
  refuse_desktop "$host"
  export DOCKER_HOST=$host
}

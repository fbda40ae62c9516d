#!/usr/bin/env bash
# What a good operator would type for examples/quickstart.yaml: three machines that are containers, a Swarm of one
# manager and two workers, and 5 containers of the example's image on it. It is the limit that bench/up.py measures
# skep against, so it does side by side whatever can be, and waits no longer than it has to.
#
#   bench/up.sh PREFIX FOLDER NODE-IMAGE WEB-IMAGE     ends with 3 nodes Ready and 5 of 5 running
#   bench/up.sh --remove PREFIX FOLDER                 takes it back
#
# DOCKER_HOST names the Engine. PRIVILEGED=yes where it grants that; else the capabilities are named one by one.
set -euo pipefail

remove() {
  docker rm --force --volumes "$prefix-manager" "$prefix-worker-1" "$prefix-worker-2" >/dev/null 2>&1 || true
  docker network rm "$prefix" >/dev/null 2>&1 || true
  rm -rf "$folder"
}

if [[ $1 == --remove ]]; then
  prefix=$2 folder=$3
  remove
  exit
fi
prefix=$1 folder=$2 node_image=$3 web_image=$4
machines=(manager worker-1 worker-2)
deadline=$((SECONDS + 120))

die() {
  printf 'bench/up.sh: %s\n' "$*" >&2
  exit 1
}

# engine MACHINE ARGUMENT…: docker on a machine's own engine, through the socket in its private folder.
engine() {
  local machine=$1
  shift
  docker -H "unix://$folder/$machine/e.sock" "$@"
}

# until_true COMMAND…: as soon as it succeeds; the join or poll that comes too early costs nothing.
until_true() {
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || die "gave up on: $*"
    sleep 0.05
  done
}

# The host's control groups are shown to machines where they are of version 1, which has no namespace that nests.
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  cgroups=(--cgroupns=private)
else
  cgroups=(--cgroupns=host --volume /sys/fs/cgroup:/sys/fs/cgroup:rw)
fi
if [[ ${PRIVILEGED-} == yes ]]; then
  rights=(--privileged)
else
  rights=(--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined
    --device-cgroup-rule 'a *:* rwm')
  for capability in SYS_ADMIN NET_ADMIN SYS_PTRACE SYS_MODULE IPC_LOCK SYSLOG DAC_READ_SEARCH LINUX_IMMUTABLE SYS_TIME \
    SYS_NICE MAC_ADMIN AUDIT_CONTROL NET_BROADCAST LEASE; do
    rights+=(--cap-add "$capability")
  done
fi

make_machine() {
  mkdir -m 700 "$folder/$1"
  docker run --detach --init --name "$prefix-$1" --hostname "$1" --network "$prefix" "${rights[@]}" "${cgroups[@]}" \
    --memory 1g --memory-swap 1g --volume /var/lib/docker --volume "$folder/$1:/skep" --tmpfs /run --entrypoint sh \
    "$node_image" -c 'mount -o remount,rw /sys
      parent=
      if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
        parent=$(sed -n "s/^[0-9]*:memory://p" /proc/self/cgroup)
      fi
      exec dockerd -H unix:///var/run/docker.sock -H unix:///skep/e.sock --storage-driver overlay2 \
        --log-level warn ${parent:+--cgroup-parent "$parent"}' >/dev/null
  until_true engine "$1" version
}

load() { engine "$1" load --input "$folder/web.tar" >/dev/null; }

join() {
  make_machine "$1"
  load "$1" &
  until_true test -s "$folder/token"
  until_true engine "$1" swarm join --token "$(<"$folder/token")" "$(<"$folder/address"):2377"
  wait "$!"
}

lead() {
  make_machine manager
  load manager &
  engine manager swarm init >/dev/null
  engine manager info --format '{{.Swarm.NodeAddr}}' >"$folder/address"
  engine manager swarm join-token --quiet worker >"$folder/token.new"
  mv "$folder/token.new" "$folder/token"
  wait "$!"
}

three_ready() { (($(engine manager node ls --format '{{.Status}}' | grep -c '^Ready') == 3)); }
five_running() {
  (($(engine manager service ps web --filter desired-state=running --format '{{.CurrentState}}' | grep -c '^Running') == 5))
}

mkdir -p "$folder"
chmod 700 "$folder"
docker save --output "$folder/web.tar" "$web_image" &
saving=$!
docker network create "$prefix" ${SUBNET:+--subnet "$SUBNET"} >/dev/null
wait "$saving"

members=()
lead &
members+=($!)
for machine in "${machines[@]:1}"; do
  join "$machine" &
  members+=($!)
done
for member in "${members[@]}"; do wait "$member"; done
until_true three_ready

engine manager service create --detach --quiet --no-resolve-image --name web --replicas 5 \
  --publish mode=host,target=8080 --health-cmd 'wget -q -O /dev/null http://127.0.0.1:8080/' \
  --health-interval 2s "$web_image" >/dev/null
until_true five_running

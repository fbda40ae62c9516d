#!/bin/sh

# Made by skep: gives this engine its labels, then brings it into the Swarm. Running it again does no harm.
set -o errexit
set -o nounset

answers() {
    docker version > /dev/null 2>&1
}

labelled() {
    docker info --format '{{json .Labels}}' 2> /dev/null | grep -qF '"swarm-association-id=0123456789abcdef"'
}

joined() {
    [ "$(docker info --format '{{.Swarm.LocalNodeState}}' 2> /dev/null)" = active ]
}

# wait_for SECONDS CONDITION
wait_for() {
    deadline=$(($(date +%s) + $1))
    until "$2"; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "skep: the engine was not '$2' within $1 s" >&2
            return 1
        fi
        sleep 0.1 2> /dev/null || sleep 1
    done
}

labels='"swarm-association-id=0123456789abcdef", "skep.group=managers", "skep.logical-id=10.20.0.10"'
names='swarm-association-id|skep\.group|skep\.logical-id'

reload() {
    wait_for 120 answers
    kill -HUP "$(cat /var/run/docker.pid)"
}

# Other settings and labels of the file stay; labels of the same name are replaced.
write_labels() {
    mkdir -p /etc/docker
    [ -s /etc/docker/daemon.json ] || echo '{}' > /etc/docker/daemon.json
    tr '\r\n' '  ' < /etc/docker/daemon.json | sed -E \
        -e "s~\"($names)=[^\"]*\" *(, *)?~~g" \
        -e 's~("labels" *: *\[[^]]*[^], ]) *, *\]~\1]~' -e 'tput' -e ':put' \
        -e "s~\"labels\" *: *\[ *\]~\"labels\": [$labels]~" -e t \
        -e "s~\"labels\" *: *\[~\"labels\": [$labels, ~" -e t \
        -e "s~^ *\{ *\} *\$~{\"labels\": [$labels]}~" -e t \
        -e "s~\{~{\"labels\": [$labels], ~" > /etc/docker/daemon.json.skep
    mv /etc/docker/daemon.json.skep /etc/docker/daemon.json
}

labelled || {
    write_labels
    reload
    wait_for 120 labelled
}

joined ||
    docker swarm init --advertise-addr 10.20.0.10 > /dev/null

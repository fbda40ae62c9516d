"""The Init script that brings an engine into a Swarm: text from values, no I/O.

It runs on the machine, again after a failure if need be, with nothing but a POSIX shell, grep, sed and docker's client.
It holds a join token: whoever stores or logs it gives the Swarm away, so it never prints one and never traces.
"""

import ipaddress
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

RELOAD_ENGINE = """wait_for 120 answers
kill -HUP "$(cat /var/run/docker.pid)\""""
"""Engines reload their labels on HUP. One that is still starting would die of it, so it has to answer first."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an engine comes into the Swarm: through one of `managers` (address:port), or by founding it if none is given.

    `logical_id` is advertised if it is an IP address; the engine chooses one else.
    """

    logical_id: str | None = None
    managers: Sequence[str] = ()
    token: str = field(default="", repr=False)


def init_script(labels: Mapping[str, str], proof: str, restart: str, way: Way, prefix: str = "") -> str:
    """The whole script. `proof` is the label that shows that the engine has taken up all of them."""
    parts = [
        _head(prefix),
        _FUNCTIONS.replace("PROOF", shlex.quote(f'"{proof}={labels[proof]}"')),
        _labels(labels),
        f"reload() {{\n{_indented(restart or RELOAD_ENGINE)}\n}}\n",
        _TAKE_UP,
        _enter(way),
    ]
    return "\n".join(parts)


def _head(prefix: str) -> str:
    shebang = "" if prefix.startswith("#!") else "#!/bin/sh\n"
    return shebang + (f"{prefix}\n" if prefix else "")


def _indented(text: str) -> str:
    """As it is written if it has several lines of its own: a here document must not be moved."""
    return text if "<<" in text else "\n".join(f"    {line}" for line in text.splitlines())


_FUNCTIONS = """\
# Made by skep: gives this engine its labels, then brings it into the Swarm. Running it again does no harm.
set -o errexit
set -o nounset

answers() {
    docker version > /dev/null 2>&1
}

labelled() {
    docker info --format '{{json .Labels}}' 2> /dev/null | grep -qF PROOF
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
"""


def _labels(labels: Mapping[str, str]) -> str:
    names = "|".join(name.replace(".", r"\.") for name in labels)
    entries = ", ".join(f'"{name}={value}"' for name, value in labels.items())
    return f"labels='{entries}'\nnames='{names}'\n"


# A JSON text has no line breaks inside its strings, so they can all be blanks for sed.
_TAKE_UP = r"""# Other settings and labels of the file stay; labels of the same name are replaced.
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
"""


def _enter(way: Way) -> str:
    advertise = ["--advertise-addr", way.logical_id] if way.logical_id and _is_address(way.logical_id) else []
    if not way.managers:
        # It prints a join token.
        return f"joined ||\n    {shlex.join(['docker', 'swarm', 'init', *advertise])} > /dev/null\n"
    joins = [
        shlex.join(["docker", "swarm", "join", "--token", way.token, *advertise, manager]) for manager in way.managers
    ]
    # A join that runs into its time limit goes on in the background.
    return " ||\n    ".join(["joined", *joins, "wait_for 60 joined"]) + "\n"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

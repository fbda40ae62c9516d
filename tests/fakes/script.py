"""Init scripts on a simulated machine: the lines that matter are acted upon, so that a broken script fails."""

import json
import re
import shlex
from collections.abc import Callable

from skep.model.errors import RejectedError
from tests.fakes.host import Host
from tests.fakes.swarm import SimSwarm

_SWARM_LINE = re.compile(r"docker swarm (init|join)\b(.*)")
_LABELS = re.compile(r"^labels='(.*)'$", re.MULTILINE)
_GUARD = re.compile(r"^joined \|\|", re.MULTILINE)
_OPTIONS = ("--advertise-addr", "--token", "--listen-addr", "--data-path-addr", "--availability")


class ScriptError(RejectedError):
    """The script ended with a status that is not 0."""


async def run_script(host: Host, script: str, manager_at: Callable[[str], Host | None]) -> None:
    """What the script does to `host`; ScriptError when a line fails. `manager_at` finds the host with an address."""
    await host.kernel.clock.sleep(host.kernel.spread(host.kernel.timings.init_s))
    _write_labels(host, script)
    if _GUARD.search(script) and host.swarm_state == "active":
        return
    lines = [_words(match) for match in _SWARM_LINE.finditer(script)]
    refusals = []
    for verb, options, places in lines:
        try:
            await _swarm_line(host, verb, options, places, manager_at)
        except ScriptError as refusal:
            refusals.append(str(refusal))
        else:
            return
    if refusals:
        raise ScriptError(f"Init of {host.name} ended with status 1: {'; '.join(refusals)}")


def _write_labels(host: Host, script: str) -> None:
    """They are in effect only if the script also reloads the engine and waits for it."""
    match = _LABELS.search(script)
    if match is None:
        return
    entries: list[str] = json.loads(f"[{match[1]}]")
    host.written_labels |= dict(entry.split("=", 1) for entry in entries)
    if re.search(r"^reload\(\) {\n(?!})", script, re.MULTILINE) and re.search(r"^ *reload$", script, re.MULTILINE):
        host.labels = dict(host.written_labels)


def _words(match: re.Match[str]) -> tuple[str, dict[str, str], list[str]]:
    """The verb, its options, and what remains; redirections and what follows `||` are the shell's."""
    words = shlex.split(re.split(r"\|\||>|;|\\$", match[2])[0])
    options: dict[str, str] = {}
    places = []
    while words:
        word = words.pop(0)
        if word in _OPTIONS and words:
            options[word] = words.pop(0)
        elif word.startswith("-"):
            raise ScriptError(f"unknown flag: {word}")
        else:
            places.append(word)
    return match[1], options, places


async def _swarm_line(
    host: Host, verb: str, options: dict[str, str], places: list[str], manager_at: Callable[[str], Host | None]
) -> None:
    if host.swarm_state != "inactive":
        raise ScriptError('Error response from daemon: This node is already part of a swarm. Use "docker swarm leave"')
    kernel = host.kernel
    addr = options.get("--advertise-addr", host.address)
    if addr != host.address:
        raise ScriptError(f"Error response from daemon: could not use {addr}: it is no address of this machine")
    await kernel.clock.sleep(kernel.spread(kernel.timings.join_s))
    if not host.alive:
        raise ScriptError(f"{host.name} stopped while its Init ran")
    if verb == "init":
        kernel.acts["swarm init"] += 1
        swarm = SimSwarm(kernel, host, addr)
        kernel.changed(f"swarm {swarm.id[:5]} began on {host.name}", by_us=True)
        return
    await _join(host, options.get("--token", ""), places, addr, manager_at)


async def _join(host: Host, token: str, places: list[str], addr: str, manager_at: Callable[[str], Host | None]) -> None:
    if len(places) != 1:
        raise ScriptError('"docker swarm join" requires exactly 1 argument.')
    kernel = host.kernel
    remote = manager_at(places[0].rpartition(":")[0])
    swarm = remote.swarm if remote is not None and remote.alive else None
    member = swarm.nodes.get(remote.node_id) if swarm is not None and remote is not None else None
    if swarm is None or member is None or not member.in_raft or swarm.leader is None:
        await kernel.clock.sleep(kernel.timings.join_timeout_s)
        raise ScriptError("Error response from daemon: Timeout was reached before node joined.")
    kernel.acts["swarm join"] += 1
    try:
        swarm.admit(host, token, addr)
    except RejectedError as refusal:
        raise ScriptError(str(refusal)) from refusal
    kernel.changed(f"{host.name} joined swarm {swarm.id[:5]}", by_us=True)

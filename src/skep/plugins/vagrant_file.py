"""The Vagrantfile of a machine: what a group may say of its machines, and how that is put to Vagrant."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from skep.model.errors import Fault, InvalidError
from skep.model.json import Json, RawJson
from skep.plugins.file_layout import kept
from skep.plugins.templates import render

CPUS, MEMORY_MIB = 2, 512
"""InfraKit's defaults (infrakit-compat.md 5.1)."""

SIZED = ("virtualbox", "libvirt", "parallels", "hyperv")
"""Providers whose machines take `memory` and `cpus` in words that these share."""

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_PROVIDER = re.compile(r"[a-z][a-z0-9_]*")

_RUBY = re.compile(r'[\x00-\x1f\x7f"\\#\ud800-\udfff]')
_RUBY_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a group says of its machines; an empty `provider` leaves the choice to Vagrant.

    `given` are all properties as written: templates may use any of them, and the defaults of those left out.
    """

    box: str
    cpus: int
    memory_mib: int
    provider: str
    given: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Template:
    """A Vagrantfile with places to fill in; `name` is what errors call it."""

    name: str
    text: str


def read_machine(properties: RawJson) -> Machine:
    """InvalidError has every fault. Names are exact, and unknown ones are the template's business."""
    given = _object(properties)
    faults = list(_faults(given))
    if faults:
        raise InvalidError(faults)
    cpus, memory = (int(str(given[name])) for name in ("CPUs", "Memory"))
    return Machine(str(given["Box"]), cpus, memory, str(given["Provider"]), given)


def _object(properties: RawJson) -> dict[str, Json]:
    try:
        text = kept(properties)
    except InvalidError as error:
        raise InvalidError(
            [replace(f, path=f.path.removeprefix("Properties").lstrip(".")) for f in error.faults]
        ) from error
    written = json.loads(text)
    if not isinstance(written, dict | None):
        raise InvalidError([Fault("Invalid instance properties: must be an object")])
    given: dict[str, Json] = {"CPUs": CPUS, "Memory": MEMORY_MIB, "Provider": ""}
    return given | {name: item for name, item in (written or {}).items() if item is not None}


def _faults(given: Mapping[str, Json]) -> list[Fault]:
    faults = []
    if "Box" not in given:
        faults.append(Fault("Property 'Box' must be set"))
    elif not isinstance(given["Box"], str) or not given["Box"]:
        faults.append(Fault("must be the name of a Vagrant box", "Box"))
    for name in ("CPUs", "Memory"):
        if isinstance(given[name], bool) or not _COUNT.fullmatch(str(given[name])):
            faults.append(Fault("must be a positive whole number", name))
    provider = given["Provider"]
    if not isinstance(provider, str) or (provider and not _PROVIDER.fullmatch(provider)):
        faults.append(Fault("must be the name of a Vagrant provider, such as virtualbox or libvirt", "Provider"))
    return faults


def ruby(value: object) -> str:
    """The value as Ruby reads it: text in quotes, with nothing in it that Ruby would act on, else a number or word."""
    if value is None:
        return "nil"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return f'"{_RUBY.sub(_ruby_escape, str(value))}"'


def _ruby_escape(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    if char in '"\\#':
        return f"\\{char}"
    return _RUBY_ESCAPES.get(char) or f"\\x{ord(char):02x}"


def vagrantfile(machine: Machine, logical_id: str | None, tags: Mapping[str, str], template: Template | None) -> str:
    """The file's text: the template's if there is one (InvalidError names its file and line), else the default,
    which does what InfraKit's does."""
    if template is None:
        return _default(machine, logical_id)
    values: dict[str, object] = {
        "Properties": machine.given,
        "NetworkOptions": _network(logical_id),
        "LogicalID": logical_id or "",
        "Tags": dict(tags),
        "ruby": ruby,
    }
    return render(template.text, template.name, values)


def _network(logical_id: str | None) -> str:
    """What follows `config.vm.network "private_network"`: a logical ID is the machine's address."""
    return f", ip: {ruby(logical_id)}" if logical_id else ', type: "dhcp"'


def _default(machine: Machine, logical_id: str | None) -> str:
    provider = machine.provider if machine.provider in SIZED else "virtualbox"
    return f"""
Vagrant.configure("2") do |config|
  config.vm.box = {ruby(machine.box)}
  config.vm.hostname = "infrakit.box"
  config.vm.network "private_network"{_network(logical_id)}

  config.vm.provision :shell, path: "boot.sh"

  config.vm.provider :{provider} do |machine|
    machine.memory = {machine.memory_mib}
    machine.cpus = {machine.cpus}
  end
end
"""

"""Plugins by the name that a spec gives them."""

from collections.abc import Mapping
from typing import TypeVar

from skep.model.errors import NotFoundError
from skep.ports import FlavorPlugin, InstancePlugin

P = TypeVar("P")


class PluginRegistry:
    """ports.Plugins over those that run in this process. `docker` and `instance-docker` name the same one."""

    def __init__(self, instances: Mapping[str, InstancePlugin], flavors: Mapping[str, FlavorPlugin]) -> None:
        self._instances = {_short(name, "instance"): plugin for name, plugin in instances.items()}
        self._flavors = {_short(name, "flavor"): plugin for name, plugin in flavors.items()}

    def instance(self, name: str) -> InstancePlugin:
        return _found(name, "instance", self._instances)

    def flavor(self, name: str) -> FlavorPlugin:
        return _found(name, "flavor", self._flavors)


def _short(name: str, kind: str) -> str:
    return name.removeprefix(f"{kind}-")


def _found(name: str, kind: str, plugins: Mapping[str, P]) -> P:
    plugin = plugins.get(_short(name, kind))
    if plugin is None:
        known = ", ".join(f"{kind}-{other}" for other in sorted(plugins)) or "none"
        raise NotFoundError(f"there is no {kind} plugin {name!r}; there are: {known}")
    return plugin

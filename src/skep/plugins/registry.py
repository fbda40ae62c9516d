"""Plugins by the name that a spec gives them."""

from collections.abc import Callable, Mapping

import structlog

from skep.model.errors import NotFoundError
from skep.ports import FlavorPlugin, InstancePlugin, Plugins

log = structlog.get_logger()


class PluginRegistry:
    """ports.Plugins over those that run in this process. `docker` and `instance-docker` name the same one.

    Names that none of them has are looked for `elsewhere`. `shadowed` says of a name that is built in where else there
    is one of that name, so that nobody takes the one for the other; empty where there is none.
    """

    def __init__(
        self,
        instances: Mapping[str, InstancePlugin],
        flavors: Mapping[str, FlavorPlugin],
        elsewhere: Plugins | None = None,
        shadowed: Callable[[str], str] = lambda name: "",
    ) -> None:
        self._instances = {_short(name, "instance"): plugin for name, plugin in instances.items()}
        self._flavors = {_short(name, "flavor"): plugin for name, plugin in flavors.items()}
        self._elsewhere, self._shadowed = elsewhere, shadowed
        self._told: set[str] = set()

    def instance(self, name: str) -> InstancePlugin:
        plugin = self._instances.get(_short(name, "instance"))
        if plugin is not None:
            self._tell(name)
            return plugin
        if self._elsewhere is not None:
            return self._elsewhere.instance(name)
        raise _missing(name, "instance", self._instances)

    def flavor(self, name: str) -> FlavorPlugin:
        plugin = self._flavors.get(_short(name, "flavor"))
        if plugin is not None:
            self._tell(name)
            return plugin
        if self._elsewhere is not None:
            return self._elsewhere.flavor(name)
        raise _missing(name, "flavor", self._flavors)

    def _tell(self, name: str) -> None:
        """When a name is used first."""
        if name in self._told:
            return
        self._told.add(name)
        if other := self._shadowed(name):
            log.warning(
                "the plugin that is built in is used, and not the one that runs: give that another --name",
                plugin=name,
                other=other,
            )


def _short(name: str, kind: str) -> str:
    return name.removeprefix(f"{kind}-")


def _missing(name: str, kind: str, plugins: Mapping[str, object]) -> NotFoundError:
    known = ", ".join(f"{kind}-{other}" for other in sorted(plugins)) or "none"
    return NotFoundError(f"there is no {kind} plugin {name!r}; there are: {known}")

"""A group spec as the planner sees it: pure functions."""

from functools import lru_cache

from skep.control.abilities import can
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import GroupSpec, PluginRef
from skep.model.state import Entry, Health, Life, Member, Role
from skep.planning.confighash import config_sha
from skep.ports import FlavorPlugin, InstancePlugin, Lasting

GROUP_TAG = "infrakit.group"
CONFIG_TAG = "infrakit.config_sha"
"""infrakit-compat.md 3.4."""

REPLACE_TAG = "skep.replace_sha"
REQUEST_TAG = "skep.request"


def fingerprint(spec: GroupSpec) -> str:
    """infrakit-compat.md 3.3: instance and flavor; the size is not in it."""
    return _sha(spec.instance, spec.instance.properties, spec.flavor, spec.flavor.properties)


def replace_sha(spec: GroupSpec, instance: InstancePlugin, flavor: FlavorPlugin) -> str:
    """The same over only what needs a new machine, as far as the plugins can tell."""
    return _sha(spec.instance, _lasting(instance, spec.instance), spec.flavor, _lasting(flavor, spec.flavor))


def _lasting(plugin: InstancePlugin | FlavorPlugin, ref: PluginRef) -> RawJson:
    return plugin.lasting(ref.properties) if can(plugin, Lasting) else ref.properties


@lru_cache(maxsize=4096)
def _sha(instance: PluginRef, instance_properties: RawJson, flavor: PluginRef, flavor_properties: RawJson) -> str:
    return config_sha(instance.plugin, instance_properties, flavor.plugin, flavor_properties)


def max_surge(spec: GroupSpec) -> int:
    """One above the size for cattle (semantics.md N35); pets can't be there twice."""
    if spec.allocation.logical_ids:
        return 0
    return 1 if spec.updating.max_surge is None else spec.updating.max_surge


def max_unavailable(spec: GroupSpec, role: Role | None) -> int:
    """None of cattle, one of pets; of managers 0, which leaves it to the quorum rules (N4, N7)."""
    if spec.updating.max_unavailable is not None:
        return spec.updating.max_unavailable
    if role is Role.MANAGER:
        return 0
    return 0 if max_surge(spec) else 1


def instance_spec(spec: GroupSpec, entry: Entry) -> InstanceSpec:
    """What the flavor prepares and the instance plugin makes for one ledger entry."""
    tags = {
        GROUP_TAG: spec.id,
        CONFIG_TAG: entry.fingerprint,
        REPLACE_TAG: entry.replace_sha,
        REQUEST_TAG: entry.request,
    }
    return InstanceSpec(spec.instance.properties, tags, logical_id=entry.slot)


def member(description: InstanceDescription, health: MemberHealth, drift: tuple[str, ...], source: str) -> Member:
    """A machine as the planner sees it: what its plugin says, what its flavor says, and what of it has drifted."""
    return Member(
        id=description.id,
        slot=description.logical_id,
        fingerprint=description.tags.get(CONFIG_TAG, ""),
        replace_sha=description.tags.get(REPLACE_TAG, ""),
        life=description.life,
        health=health.health if description.life is Life.RUNNING else Health.UNKNOWN,
        source=source,
        request=description.tags.get(REQUEST_TAG, ""),
        created_s=description.created_s,
        drift=drift,
        leader=health.leader,
        running=int(description.life is Life.RUNNING and health.health is Health.HEALTHY),
        detail=health.detail or description.detail,
    )

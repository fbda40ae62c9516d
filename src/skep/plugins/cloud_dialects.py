"""How clouds take tags and user data through libcloud, and give tags back: one row for each cloud.

libcloud makes machines everywhere by one call, and leaves what belongs to one cloud to `ex_…` arguments of its driver.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from skep.plugins.cloud_tags import labelled, unpacked

Options = dict[str, Any]
"""Arguments of a driver's create_node."""


class Node(Protocol):
    """A machine as libcloud tells of it; `extra` is the cloud's own."""

    id: Any
    name: str
    state: Any
    extra: dict[str, Any]
    created_at: Any


class Driver(Protocol):
    """What is used of libcloud's NodeDriver."""

    def list_nodes(self) -> Sequence[Node]: ...
    def list_sizes(self) -> Sequence[Any]: ...
    def list_locations(self) -> Sequence[Any]: ...
    def create_node(self, name: str, size: Any, image: Any, **options: Any) -> Node: ...
    def destroy_node(self, node: Any) -> bool: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a machine is given: its tags, its user data (empty for none), and a token that is the same when repeated."""

    tags: Mapping[str, str]
    init: str
    token: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """`options` puts a request into arguments; `tags` reads them from a node.

    by_name: sizes, images and locations are arguments as they are written, not things to be looked up.
    objects: arguments that hold things, of which the driver takes ID or name.
    """

    options: Callable[[Request], Options]
    tags: Callable[[Node], Mapping[str, str]]
    by_name: bool = False
    objects: frozenset[str] = frozenset()


def _ec2(request: Request) -> Options:
    return {"ex_metadata": dict(request.tags), "ex_userdata": request.init, "ex_clienttoken": request.token}


def _openstack(request: Request) -> Options:
    return {"ex_metadata": dict(request.tags), "ex_userdata": request.init}


def _azure(request: Request) -> Options:
    return {"ex_tags": dict(request.tags), "ex_customdata": request.init}


def _google(request: Request) -> Options:
    """Labels take neither upper case nor `=`."""
    script = [{"key": "startup-script", "value": request.init}] if request.init else []
    return {"ex_labels": labelled(request.tags), "ex_metadata": {"items": script}}


def _digitalocean(request: Request) -> Options:
    """Tags are words there, in which a colon is allowed."""
    tags = [f"{name}:{value}" for name, value in labelled(request.tags).items()]
    return {"ex_create_attr": {"tags": tags}, "ex_user_data": request.init}


def _extra(name: str) -> Callable[[Node], Mapping[str, str]]:
    return lambda node: dict(node.extra.get(name) or {})


def _packed(node: Node) -> Mapping[str, str]:
    return unpacked(dict(node.extra.get("labels") or {}))


def _packed_pairs(node: Node) -> Mapping[str, str]:
    pairs = (str(tag).partition(":") for tag in node.extra.get("tags") or ())
    return unpacked({name: value for name, _, value in pairs})


DIALECTS: Mapping[str, Dialect] = {
    "azure_arm": Dialect(_azure, _extra("tags")),
    "digitalocean": Dialect(_digitalocean, _packed_pairs),
    "ec2": Dialect(_ec2, _extra("tags"), objects=frozenset({"ex_subnet"})),
    "gce": Dialect(_google, _packed, by_name=True),
    "openstack": Dialect(_openstack, _extra("metadata"), objects=frozenset({"networks", "ex_security_groups"})),
}
"""By libcloud's name of the provider. The others keep no tags that libcloud can set, so nobody would know a machine."""


def merged(given: Mapping[str, Any], own: Options, objects: frozenset[str]) -> Options:
    """The user's arguments with ours, which win; maps and lists are joined."""
    wrapped = {name: _object(value) if name in objects else value for name, value in given.items()}
    return wrapped | {name: _joined(wrapped.get(name), value) for name, value in own.items()}


def _joined(given: Any, own: Any) -> Any:
    if isinstance(given, dict) and isinstance(own, dict):
        return given | {name: _joined(given.get(name), value) for name, value in own.items()}
    if isinstance(given, list) and isinstance(own, list):
        return [*given, *own]
    if isinstance(given, str) and isinstance(own, str) and given:
        return f"{given}\n{own}" if own else given
    return own


def _object(value: Any) -> Any:
    return [_object(item) for item in value] if isinstance(value, list) else SimpleNamespace(id=value, name=value)

"""Names that Docker and Swarm have to accept: checked before anything is stored."""

import re
from collections.abc import Iterator

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]*[a-zA-Z0-9])?")
NAME_MAX = 63
"""Swarm's limit of a service's name (SwarmKit, validateAnnotations); a hostname's label has the same."""

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
"""The grammar of distribution/reference, without its rule that 64 hex digits alone are an ID."""

IMAGE_MAX = 400
"""255 characters of name are the registry's limit; the rest are a tag of 128 and a digest, cut generously."""

_CONSTRAINT = re.compile(r"\s*([a-zA-Z_][-a-zA-Z0-9_.]*)\s*(==|!=)\s*(\S(?:.*\S)?)\s*")
_CONSTRAINT_KEYS = re.compile(
    r"node\.(?:id|ip|hostname|role|platform\.os|platform\.arch)|(?:node|engine)\.labels\.[-a-z0-9_.]+", re.IGNORECASE
)
_LABELS_OF_OTHERS = ("skep.", "com.docker.")
_LABEL_OF_STATE = "swarm.cluster.state"

VARIABLE = re.compile(r"[^=\0]+")


def name_fault(name: str) -> str:
    """Why `name` can be no group's or workload's; empty when it can."""
    if not name:
        return "must not be empty"
    if len(name) > NAME_MAX:
        return f"must have at most {NAME_MAX} characters"
    if not _NAME.fullmatch(name):
        return "must have only letters, digits and, inside, - _ ."
    return ""


def image_fault(image: str) -> str:
    """Why `image` is no image reference; empty when it is one."""
    if not image:
        return "must not be empty"
    if len(image) > IMAGE_MAX:
        return f"must have at most {IMAGE_MAX} characters"
    if _IMAGE.fullmatch(image):
        return ""
    if _IMAGE.fullmatch(image.lower()):
        return "is no image reference: the name must be lower case"
    return "is no image reference such as nginx, nginx:1.27 or registry.example.com:5000/team/web:1"


def constraint_fault(constraint: str) -> str:
    """Why SwarmKit would refuse `constraint`; empty when it would not."""
    match = _CONSTRAINT.fullmatch(constraint)
    if match is None:
        return "must look like node.role==worker or node.labels.zone!=a"
    if not _CONSTRAINT_KEYS.fullmatch(match[1]):
        return (
            "must start with node.id, node.ip, node.hostname, node.role, node.platform.os, node.platform.arch,"
            " node.labels.NAME or engine.labels.NAME"
        )
    if match[1].lower() == "node.role" and match[3].lower() not in ("manager", "worker"):
        return "node.role is manager or worker"
    return ""


def label_fault(name: str) -> str:
    """Why `name` can be no label of a workload; empty when it can."""
    if not name:
        return "a label needs a name"
    if name.startswith(_LABELS_OF_OTHERS[0]) or name == _LABEL_OF_STATE:
        return "is a label of skep's own"
    if name.startswith(_LABELS_OF_OTHERS[1]):
        return "is in the namespace of Docker itself"
    return ""


def duplicates(values: tuple[object, ...]) -> Iterator[tuple[int, int]]:
    """(index, first index) of each value that was there before; only strings are compared."""
    seen: dict[object, int] = {}
    for index, value in enumerate(values):
        if isinstance(value, str) and seen.setdefault(value, index) != index:
            yield index, seen[value]

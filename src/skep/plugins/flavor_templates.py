"""Init scripts by URL: the variables that templates of every flavor have, and how one becomes a script."""

import json
from collections.abc import Mapping

from skep.model.errors import Fault, InvalidError, NotFoundError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.spec import Allocation
from skep.plugins.templates import render
from skep.ports import Fetch
from skep.specs.endpoints import shown_url

FIELD = "InitScriptTemplateURL"
GROUP_TAG = "infrakit.group"

Values = Mapping[str, object]


def template_values(properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> dict[str, object]:
    """The variables of infrakit-compat.md 4.1 that say for which machine of which group the script is."""
    logical_ids = list(allocation.logical_ids)
    sequence = logical_ids.index(spec.logical_id) if spec.logical_id in logical_ids else 0
    return {
        "SPEC": json.loads(properties) or {},
        "INSTANCE_LOGICAL_ID": spec.logical_id or "",
        "INSTANCE": {"Tags": dict(spec.tags), "Init": spec.init, "Properties": json.loads(spec.properties)},
        "ALLOCATIONS": {"Size": allocation.size, "LogicalIDs": logical_ids},
        "INDEX": {"Group": spec.tags.get(GROUP_TAG, ""), "Sequence": sequence},
    }


async def script_of(fetch: Fetch | None, url: str, values: Values) -> str:
    """The script that the template at `url` makes of `values`."""
    if fetch is None:
        raise RejectedError(f"nobody is here who fetches {shown_url(url)}")
    return render(await fetch.text(url), shown_url(url), values)


async def check_template(fetch: Fetch | None, url: str, *samples: Values) -> None:
    """InvalidError where it is not there, or does not become a script with these values."""
    try:
        for sample in samples:
            await script_of(fetch, url, sample)
    except (NotFoundError, RejectedError) as error:
        raise InvalidError([Fault(str(error), FIELD)]) from error
    except InvalidError as error:
        raise InvalidError([Fault(str(fault), FIELD) for fault in error.faults]) from error


def sample_spec(allocation: Allocation) -> InstanceSpec:
    """A member of the group as it might be, to try a template with."""
    return InstanceSpec(logical_id=allocation.logical_ids[0] if allocation.logical_ids else None)


def sample_values(properties: RawJson, allocation: Allocation) -> dict[str, object]:
    """The variables as `sample_spec` has them; whatever tags and properties of the machine a template asks for are
    there, since nobody knows them before it is made."""
    values = template_values(properties, sample_spec(allocation), allocation)
    return values | {"INSTANCE": {"Tags": _Whatever(), "Init": "", "Properties": _Whatever()}}


class _Whatever(dict[str, object]):
    """A map that has every key, and that can be looped over."""

    def __missing__(self, key: str) -> object:
        return _Sample("sample")


def _itself(self: object, *_: object) -> object:
    return self


_OPERATIONS = ("getitem", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "floordiv", "mod")
_Sample = type("_Sample", (str,), {f"__{name}__": _itself for name in _OPERATIONS})
"""A text that stands in for a number, a list or a map too."""


def after(init: str, script: str) -> str:
    """The script behind an Init that is there already; a first line that names a shell is a remark there."""
    return f"{init}\n{script}" if init else script

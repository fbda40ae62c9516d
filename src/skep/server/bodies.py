"""The JSON of the API: camelCase, `_s` written out as Seconds. Requests are strict, answers follow the model."""

from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from skep.specs.fields import COUNT_MAX

FILES_MAX = 1_000
"""Files in one request: as many as documents in one apply (specs.source.DOCUMENTS_MAX)."""

FILE_NAME_MAX = 4_096
"""Characters in a file's name: PATH_MAX of Linux. It is repeated by each fault of the file."""


WHY_MAX = 1_000
"""Characters of a reason: it is kept with each of the revisions, and shown in a cell."""


def json_name(name: str) -> str:
    """`observed_age_s` is `observedAgeSeconds`."""
    return to_camel(name.removesuffix("_s") + "_seconds" if name.endswith("_s") else name)


class Body(BaseModel):
    """What all bodies have in common. Nothing is coerced: `"5"` is no number."""

    model_config = ConfigDict(
        alias_generator=json_name, populate_by_name=True, strict=True, extra="forbid", frozen=True, from_attributes=True
    )


class FileBody(Body):
    """A file as somebody wrote it; `name` is how errors call it."""

    name: Annotated[str, Field(max_length=FILE_NAME_MAX)]
    text: str


# The first file with a fault ends the reading of them: a million faulty ones must not become a million faults.
Why = Annotated[str, Field(max_length=WHY_MAX)]
Files = Annotated[list[FileBody], Field(min_length=1, max_length=FILES_MAX, fail_fast=True)]
KindName = Literal["group", "workload"]


class ApplyBody(Body):
    """All files are stored, or none. adopt: take over what exists and lacks our labels. resolve: look again at what the
    images of workloads name. kind: the only one taken. why: kept with each revision."""

    files: Files
    adopt: bool = False
    resolve: bool = False
    kind: KindName | None = None
    why: Why = ""


class PlanBody(Body):
    """What an apply of these files would do. kind: the only one taken."""

    files: Files
    kind: KindName | None = None


class CheckBody(Body):
    """Files of which only the keys are told."""

    files: Files


class DeleteBody(Body):
    """What the files name is removed. cascade: also what needs it. orphan: without its members, which stay as they are;
    not with cascade. why: kept with each revision."""

    files: Files
    cascade: bool = False
    orphan: bool = False
    why: Why = ""


def _whole(given: object) -> object:
    """5.0 is an integer in JSON Schema, and so in what our document says."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


class ScaleBody(Body):
    """How many members it shall have. why: kept with the revision."""

    count: Annotated[int, Field(ge=0, le=COUNT_MAX), BeforeValidator(_whole)]
    why: Why = ""


class RollbackBody(Body):
    """to: the generation to go back to; without one, to before the last change. why: kept with the revision."""

    to: Annotated[int, Field(ge=1), BeforeValidator(_whole)] | None = None
    why: Why = ""


@lru_cache(maxsize=64)
def answer(view: type) -> type[BaseModel]:
    """The body that says what a dataclass says; every field is always there."""
    hints = get_type_hints(view)
    definitions: dict[str, Any] = {field.name: (_body_type(hints[field.name]), ...) for field in fields(view)}
    return create_model(view.__name__, __base__=Body, __doc__=view.__doc__, **definitions)


def answers(view: type) -> GenericAlias:
    """A list of them."""
    return GenericAlias(list, (answer(view),))


def _body_type(hint: Any) -> Any:
    """Dataclasses and tuples of them become bodies and tuples of those."""
    if get_origin(hint) is tuple:
        return GenericAlias(tuple, (_body_type(get_args(hint)[0]), ...))
    return answer(hint) if isinstance(hint, type) and is_dataclass(hint) else hint

"""What a request may ask beside the specs that it brings."""

from dataclasses import dataclass

from skep.model.spec import Kind


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """`kind`: the only one that the files may hold. `adopt`: take over what exists and lacks our labels (W20, W21).
    `resolve`: look again at what the images of workloads name (W40). `why` is kept with each revision."""

    kind: Kind | None = None
    adopt: bool = False
    resolve: bool = False
    why: str = ""


PLAIN = ApplyOptions()

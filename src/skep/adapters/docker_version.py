"""Which version of the Engine API is spoken with an engine."""

from msgspec import Struct, field

from skep.model.errors import RejectedError

API_MIN = (1, 41)
"""Docker Engine 20.10, the oldest that is tested."""
API_TESTED = (1, 45)
"""Docker Engine 26.1, the newest that is tested; newer ones are asked to speak this."""


class VersionAnswer(Struct, rename="pascal"):
    """GET /version. `min_api_version` is the oldest that the engine still speaks (1.40 or 1.44 in newer ones)."""

    api_version: str = ""
    version: str = ""
    min_api_version: str = field(name="MinAPIVersion", default="")

    @property
    def classic(self) -> bool:
        """Whether a classic Swarm manager says so (`swarm/1.2.9`)."""
        return self.version.startswith("swarm/")


def api_version(text: str) -> tuple[int, int]:
    """`1.41` as numbers; ValueError where it is none."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def chosen_version(answer: VersionAnswer, endpoint: str) -> str:
    """The API version to speak: the lower of the engine's and the newest tested; RejectedError where there is none.

    A classic Swarm manager tells of an old one, whatever its engines speak: its own is taken.
    """
    theirs = api_version(answer.api_version)
    if theirs < API_MIN and not answer.classic:
        raise RejectedError(
            f"the engine at {endpoint} speaks API {answer.api_version}, and skep needs at least "
            f"{_text(API_MIN)}: upgrade it to Docker Engine 20.10 or newer"
        )
    if answer.min_api_version and api_version(answer.min_api_version) > API_TESTED:
        raise RejectedError(
            f"the engine at {endpoint} refuses API versions below {answer.min_api_version}, and this skep speaks "
            f"{_text(API_TESTED)} at most: upgrade skep"
        )
    return _text(min(theirs, API_TESTED))


def _text(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)

"""When a write to a store is refused: the same rules and words for every store that is ours."""

from skep.model.errors import ConflictError, StaleTermError


def check_term(begun: int, term: int | None) -> None:
    """StaleTermError when `term` is older than the one that has begun; None is not fenced."""
    if term is not None and term < begun:
        raise StaleTermError(f"term {term} is over, term {begun} has begun: another controller has taken over")


def check_version(key: str, stored: int, version: int | None) -> None:
    """ConflictError when `stored` (0: not there) is not the version that was expected; None expects nothing."""
    if version is None or version == stored:
        return
    found = f"it has version {stored}" if stored else "it is not there"
    raise ConflictError(f"{key} was expected {f'at version {version}' if version else 'not to exist'}, and {found}")

"""Whom to remove first, and whom to keep of two: the order of semantics.md 3.4 for numbered members (W18, W24)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from skep.model.state import Health, Member
from skep.planning.census import LIVES_BY_WORTH, Census, is_count, is_current, keep_order, removal_order


def first_to_go(census: Census, members: Iterable[Member], awaited: Collection[str] = frozenset()) -> list[Member]:
    """The members, the first to be removed first. `awaited` ones are worth more than others that do not serve."""
    if not census.desired.numbered:
        return sorted(members, key=lambda m: removal_order(census.desired, m))
    places = _numbered_order(census, awaited)
    return sorted(members, key=lambda m: places[m.id])


def _numbered_order(census: Census, awaited: Collection[str]) -> Mapping[str, int]:
    """Places of all that stay: neither serving nor awaited, not running, not healthy, outdated, a duplicate, on the
    fullest source, least proven.

    Of each source the j-th to go is weighed by how many would still be left there, so that the spread is kept all
    the way down, and not only by the first removal.
    """
    duplicates, restarts = _duplicates(census), _restarts(census)

    def worth(member: Member) -> tuple[bool, int, bool, bool, int]:
        counts = member.healthy or member.id in awaited
        well, current = member.health is Health.HEALTHY, is_current(census.desired, member)
        return (counts, LIVES_BY_WORTH[member.life], well, current, -duplicates[member.id])

    def proof(member: Member) -> tuple[int, int, float, str]:
        """W18: less proven ones first: time since they are well in powers of two, restarts, and age."""
        age = int(member.well_s).bit_length()
        return (age, -restarts.get(member.slot, 0), -member.created_s, member.id)

    left: Counter[str] = Counter()
    keys = {}
    for member in sorted(census.staying, key=lambda m: (worth(m), proof(m)), reverse=True):
        keys[member.id] = (worth(member), -left[member.source], proof(member))
        left[member.source] += 1
    return {member: place for place, member in enumerate(sorted(keys, key=lambda m: keys[m]))}


def _duplicates(census: Census) -> Mapping[str, int]:
    """0 for the one to keep of each slot (W24), and more the sooner a duplicate goes."""
    found: Counter[str | None] = Counter()
    ranks = {}
    for member in sorted(census.staying, key=lambda m: keep_order(census.desired, m)):
        ranks[member.id] = found[member.slot] if member.slot is not None else 0
        found[member.slot] += 1
    return ranks


def _restarts(census: Census) -> Mapping[str | None, int]:
    return {f.subject: f.count for f in census.ledger.failures if is_count(f)}

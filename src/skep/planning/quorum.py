"""What may be done to the managers of a Swarm without risking its majority (semantics.md 4.1, 4.2)."""


def majority(members: int) -> int:
    """Managers that must be reachable for `members` to decide anything: 1 of 1, 2 of 3, 3 of 4."""
    return members // 2 + 1


def may_remove_unreachable(reachable_others: int, members: int) -> bool:
    """The engine's own rule (4.1, CanRemoveMember): of those that remain, a majority answers."""
    return reachable_others >= majority(members - 1)


def may_remove_reachable(reachable: int, members: int, target: int, *, overridden: bool) -> bool:
    """N4: a voluntary removal leaves one manager more than a majority, unless the target is a single manager.

    `overridden` is the user's explicit word; even then the rest must be a majority.
    """
    rest = members - 1
    if rest < 1 or reachable < members:  # N3: all must be reachable before any voluntary change
        return False
    spare = 0 if target == 1 or overridden else 1
    return reachable - 1 >= majority(rest) + spare

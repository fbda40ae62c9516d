"""What workloads promise to say of each replica, whatever they run on: what befell it, what comes next and when."""

from skep.model.cluster import ClusterKind
from skep.model.spec import Key, Kind
from skep.model.view import MemberView
from tests.contract.workload_bed import Bed, Check, name


async def one_that_ends_says_how_and_what_comes_next(bed: Bed) -> None:
    """W30: nobody has to look for it anywhere else, and the next try has a time; of a Swarm only while it tells
    one."""
    web = name()
    await bed.ask(web, 1, Command=["sh", "-c", "exit 3"])
    told, timed = list[MemberView](), bed.kind is not ClusterKind.SWARM

    async def is_told() -> bool:
        """One that ended before it is to be removed, at no time of its own, and may be there for a moment yet."""
        seen = (await bed.life.core.view(Key(Kind.WORKLOAD, web))).members
        told[:] = [m for m in seen if m.restarts and m.last_error and m.next and (m.next_in_s > 0 or not timed)]
        return bool(told)

    await bed.until(is_told, True)
    assert [(m.slot, "3" in m.last_error) for m in told] == [(f"{web}.1", True)], told
    await bed.delete(web)


DESCRIPTION_CHECKS: list[Check] = [one_that_ends_says_how_and_what_comes_next]

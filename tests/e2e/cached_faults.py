"""Lists out of a cache, by one proxy in front of a real Engine. One of the faults that last (`lasting_faults.py`)."""

from tests.e2e.lasting_faults import Place
from tests.e2e.proxied import LIST, workload
from tests.e2e.waiting import eventually, phase
from tests.engines.proxy import cached

AGE_S = 60.0


def lists_are_a_minute_old(place: Place) -> None:
    """F9: nothing is made double, and in the end none is left that was made and not started, or has ended: the number
    whose container was killed is the least proven, and goes first (W18). Nor when the list becomes a new one, which the
    next change is made by."""
    skep = place.skep
    lists = place.proxies["cached"].add(cached(AGE_S), "GET", LIST).met
    with place.watch("cached") as watch:
        skep.apply(workload("cached", "cached", 5))
        victim = watch.running()[0]
        with phase("F9: one of five is killed, to five running, by lists of a minute ago"):
            place.host.docker("kill", victim)
            eventually(lambda: len(set(watch.running()) - {victim}), 5)
        skep.apply(workload("cached", "cached", 2))
        eventually(lambda: skep.workload("cached")["converged"], True)
        eventually(watch.states, {"running": 2})
        assert len(watch.ids) == 6
        eventually(lambda: lists[-1].at_s - lists[0].at_s > AGE_S, True)
        skep.apply(workload("cached", "cached", 4))
        eventually(watch.states, {"running": 4})
        assert len(watch.ids) == 8
        assert watch.most <= 5 + 2
        assert not watch.doubles

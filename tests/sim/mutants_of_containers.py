"""The planner of numbered members, broken on purpose."""

from tests.sim.mutants import Mutant


def _numbered(breaks: str, module: str, old: str, new: str) -> Mutant:
    return Mutant(breaks, module, old, new, numbered=True)


OF_CONTAINERS = (
    # pace
    _numbered(
        "no batch is ever too large",
        "pace",
        "return 0 if len(counted) > made else max(0, min(room, _doubling(streak)))",
        "return max(0, room)",
    ),
    _numbered("batches overlap", "pace", "return 0 if len(counted) > made else", "return"),
    _numbered("a batch waits for starts", "pace", "made = sum(e.phase is Phase.CREATED for e in counted)", "made = 0"),
    _numbered("batches never grow", "pace", "return 1 << ((streak + 1).bit_length() - 1)", "return 1"),
    _numbered(
        "a refusal is followed by a batch", "pace", "return max(0, min(room, 1 - len(counted)))", "return max(0, room)"
    ),
    _numbered(
        "a silent source holds up all others",
        "pace",
        "[e for e in under_way if not _is_asked_alone(census, e)]",
        "under_way",
    ),
    _numbered("back-off of the key is ignored", "draft", "or self._creation_waits(kept)", ""),
    _numbered("what is on its way out takes no room", "draft", "self.total + self.going >=", "self.total >="),
    # places
    _numbered(
        "lost sources are used",
        "placement",
        "s not in census.observed.lost.union(self.silent)]",
        "s not in self.silent]",
    ),
    _numbered("silent sources are used", "placement", "s in census.observed.silent or", "False or"),
    _numbered("a source that owes an answer is asked more", "placement", "or s in census.mute & trying", "or False"),
    _numbered("ports are taken twice", "placement", "return not self._desired.per_source_max or", "return True or"),
    _numbered(
        "a port is free before its holder is gone",
        "placement",
        "self._held = self._load + Counter(m.source for m in census.leaving)",
        "self._held = self._load.copy()",
    ),
    _numbered(
        "the fullest source is filled",
        "placement",
        "self._last[source], self._load[source]",
        "-self._last[source], -self._load[source]",
    ),
    _numbered(
        "one that refused is asked first", "placement", "doubt is not None and doubt.retry_s > self._now_s", "False"
    ),
    _numbered(
        "one on which members fail is asked first", "placement", "return (source in self._failing, ", "return (False, "
    ),
    _numbered(
        "one on which members failed is never asked again",
        "setbacks",
        " and now_s < s.at_s[0] + WITHIN_S)",
        ")",
    ),
    _numbered("one failure puts a source behind the others", "setbacks", "len(s.at_s) == TIMES_MAX and ", ""),
    _numbered(
        "one that refused comes after one on which members fail",
        "placement",
        "(source in self._failing, is_doubted, ",
        "(is_doubted, source in self._failing, ",
    ),
    _numbered(
        "what is drafted on a source is forgotten",
        "placement",
        "        self._last[source] += not kept\n",
        "        self._last[source] += 0\n",
    ),
    _numbered(
        "a source that was never heard is taken for empty",
        "slots",
        "return bool(hold or draft.census.observed.unlisted)",
        "return bool(hold)",
    ),
    # jobs
    _numbered(
        "what has completed is done again",
        "slots",
        "    held |= draft.census.desired.done\n",
        "",
    ),
    # images
    _numbered(
        "an image that could not be had is asked for again at once",
        "placement",
        "if failure.retry_s > now_s or s in trying}",
        "if s in trying}",
    ),
    _numbered(
        "an image that could not be had is asked for many times at once",
        "placement",
        "if failure.retry_s > now_s or s in trying}",
        "if failure.retry_s > now_s}",
    ),
    _numbered(
        "an image that one engine can't get holds up all others",
        "census",
        "return self.mute.union(self.pulls)",
        "return self.mute",
    ),
    _numbered("an image that can't be had is not told", "slots", "    _tell_of_pulls(draft)\n", ""),
    _numbered(
        "an image is looked for when nothing is missing",
        "slots",
        "    if len(census.current) >= census.desired.size:\n        return\n",
        "",
    ),
    _numbered(
        "what serves goes for an image that can't be had",
        "rollout",
        "if not (member.healthy and slots.is_untried(draft)) and may_leave",
        "if may_leave",
    ),
    # slots
    _numbered("numbers are never filled", "planner", "    _fill_numbers,\n", ""),
    _numbered(
        "numbers under way are forgotten",
        "slots",
        "    held |= {e.slot for e in draft.census.ledger.entries if e.kind is ActionKind.CREATE}\n",
        "",
    ),
    _numbered(
        "a number is taken before it is vacated",
        "slots",
        "if slot not in vacated and not _waits(draft, slot):",
        "if not _waits(draft, slot):",
    ),
    _numbered(
        "another number is made for one that waits",
        "slots",
        "    draft.openings.update(slots)\n",
        "    draft.openings.update(s for s in slots if not _waits(draft, s))\n",
    ),
    _numbered(
        "crash loops are not waited for",
        "slots",
        "        draft.wake_in(failure.retry_s - draft.now_s)\n        return True\n",
        "        draft.wake_in(failure.retry_s - draft.now_s)\n",
    ),
    _numbered(
        "retries have no end", "restarts", "return 0 < desired.limits.restarts_max <= failure.count", "return False"
    ),
    _numbered("a crash loop is not told", "slots", "elif failure.count >= CRASH_LOOP_ENDS:", "elif False:"),
    _numbered("a partition is not told", "slots", "    if census.observed.partitioned:\n", "    if False:\n"),
    _numbered("silent sources are not told", "slots", "    if census.observed.silent:\n", "    if False:\n"),
    _numbered("a removal waits without a reason", "planner", "(slots.tell_of_left, _remove_all)", "(_remove_all,)"),
    # the dead
    _numbered("the dead are never buried", "planner", "    slots.bury,\n", ""),
    _numbered("the dead are buried while their slot is filled", "slots", "if member.slot in coming:", "if False:"),
    _numbered("no logs are kept", "slots", "if not is_last or member.slot not in used:", "if True:"),
    _numbered(
        "all dead of a slot in use are kept",
        "slots",
        "if not is_last or member.slot not in used:",
        "if member.slot not in used:",
    ),
    _numbered(
        "the first dead is kept instead of the last",
        "census",
        "return (-one.sick_s, one.created_s, one.id) > (-other.sick_s, other.created_s, other.id)",
        "return (-one.sick_s, one.created_s, one.id) < (-other.sick_s, other.created_s, other.id)",
    ),
    _numbered(
        "the dead count as there",
        "census",
        "ENDED = frozenset({Life.GONE, Life.DEAD})",
        "ENDED = frozenset({Life.GONE})",
    ),
    # remedies
    _numbered("what was only created is left", "planner", "    remedy.start_created,\n", ""),
    _numbered(
        "a start that was refused is tried for ever", "remedy", "elif census.start_was_refused(member):", "elif False:"
    ),
    _numbered(
        "what was created for an old spec is started",
        "remedy",
        "        if not is_current(census.desired, member) and member.id not in draft.awaited:\n",
        "        if False:\n",
    ),
    _numbered("the unhealthy serve on", "planner", "    remedy.stop_sick,\n", ""),
    _numbered(
        "what only starts is stopped",
        "remedy",
        "or member.health is not Health.UNHEALTHY or",
        "or member.health is Health.HEALTHY or",
    ),
    # victims and rolls
    _numbered(
        "of numbered ones the healthy go first",
        "victims",
        "return (counts, LIVES_BY_WORTH[member.life], well, current,",
        "return (not counts, LIVES_BY_WORTH[member.life], not well, current,",
    ),
    _numbered("duplicates are as good as others", "victims", "current, -duplicates[member.id])", "current, 0)"),
    _numbered(
        "the spread is not kept",
        "victims",
        "(worth(member), -left[member.source], proof(member))",
        "(worth(member), 0, proof(member))",
    ),
    _numbered(
        "only the first removal keeps the spread",
        "victims",
        "        left[member.source] += 1\n",
        "        left[member.source] = sum(m.source == member.source for m in census.staying)\n",
    ),
    _numbered("the proven go first", "victims", "return (age, -restarts", "return (-age, -restarts"),
    _numbered(
        "an old one goes before the new one has proven itself",
        "draft",
        "m.well_s < least_s] if desired",
        "False] if desired",
    ),
    _numbered(
        "what was asked for is not waited for",
        "census",
        "return lasting_s(desired.limits.min_ready_s)",
        "return PROVEN_S",
    ),
    _numbered(
        "what was overtaken makes up for what is proven",
        "rollout",
        "(0 if member.id in young.outdated else len(young.outdated))",
        "0",
    ),
    _numbered(
        "old ones that have not proven themselves make up for nothing new",
        "rollout",
        "owed = len(young.current) + (0 if",
        "owed = (0 if",
    ),
    _numbered("nobody looks when the next one counts", "planner", "    rollout.await_ready,\n", ""),
    _numbered(
        "a roll that comes no closer is not told",
        "planner",
        "    rollout.await_ready,\n    rollout.tell_late,\n",
        "    rollout.await_ready,\n",
    ),
    _numbered(
        "what was there once is late", "census", "progress is None or progress.complete or", "progress is None or"
    ),
    _numbered("a roll is late at once", "rollout", "    if left_s > 0:\n", "    if False:\n"),
    _numbered(
        "what waits is made a second time in a roll",
        "rollout",
        "min(room, desired.size - new) - waiting",
        "min(room, desired.size - new)",
    ),
    _numbered(
        "a silent source stops all rolls",
        "rollout",
        "return health_known(observed) if draft.census.desired.numbered else observed.complete",
        "return observed.complete",
    ),
    _numbered(
        "what may not be where it is stays",
        "census",
        "if desired.numbered and member.source not in desired.sources:",
        "if False:",
    ),
    # the settled template
    _numbered("what ends in a roll that never gets well is lost to it", "planner", "    slots.fill_as_before,\n", ""),
    _numbered("what is available is not enough to go on", "settled", " or _is_proven(census):", ":"),
    _numbered(
        "more are made as before than must serve",
        "settled",
        "- len(coming(census)) - being_made(census))",
        ")",
    ),
    _numbered(
        "a broken workload is mended by what is broken", "settled", "    return serving or", "    return True or"
    ),
    _numbered(
        "what is made as before leaves before it serves",
        "rollout",
        "and m.id not in draft.awaited]",
        "]",
    ),
    _numbered(
        "what was made as before is not started",
        "remedy",
        " and member.id not in draft.awaited:",
        ":",
    ),
    _numbered(
        "new ones take the room of those that wait to be made as before",
        "rollout",
        "- draft.total - draft.kept_waiting",
        "- draft.total",
    ),
    _numbered(
        "a new image that can't be had holds up the old one",
        "placement",
        "if s not in waiting or not census.pulls[s].settled]",
        "if s not in waiting]",
    ),
    # time
    _numbered("a silent source is not asked again", "recheck", "if draft.census.observed.silent or", "if False or"),
    _numbered(
        "containers are polled",
        "recheck",
        "return UNLISTED_S if _is_unsure(draft) else None",
        "return UNLISTED_S",
    ),
)

"""The simulated Swarm's orchestrator: placement, healing and rolling updates of services, in virtual time."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from skep.model.engine import Service, Task
from skep.model.errors import ConflictError, NotFoundError, RejectedError
from skep.model.json import JsonObject
from tests.fakes.tasks import (
    SimService,
    SimTask,
    forget,
    holds,
    meets,
    shown_service,
    shown_task,
    slot_of,
    with_defaults,
)

if TYPE_CHECKING:
    from tests.fakes.swarm import SimNode, SimSwarm


_EXIT = re.compile(r"\bexit (\d+)")
"""A command that ends with this is taken at its word."""


class Orchestrator:
    """Level-based as SwarmKit's: `reconcile` may be called at any time and does nothing without a leader."""

    def __init__(self, swarm: "SimSwarm") -> None:
        self._swarm = swarm
        self._kernel = swarm.kernel
        self._services: dict[str, SimService] = {}
        self.bad_images: set[str] = set()

    # --- what clients see and ask -----------------------------------------------------------------------------------

    def listed(self) -> list[Service]:
        return [shown_service(service) for service in self._services.values()]

    def tasks(self) -> list[Task]:
        return [shown_task(service, task) for service in self._services.values() for task in service.tasks]

    def find(self, service: str) -> SimService | None:
        """By name or ID."""
        return next((known for known in self._services.values() if service in (known.id, known.name)), None)

    def named(self, service: str) -> SimService:
        known = self.find(service)
        if known is None:
            raise NotFoundError(f"service {service} not found")
        return known

    def create(self, spec: JsonObject) -> str:
        name = str(spec.get("Name", ""))
        if not re.fullmatch(r"[a-zA-Z0-9]+(-+[a-zA-Z0-9]+)*", name):
            raise RejectedError("rpc error: code = InvalidArgument desc = name must be valid as a DNS name component")
        if any(service.name == name for service in self._services.values()):
            raise ConflictError(
                f"rpc error: code = AlreadyExists desc = name conflicts with an existing object: service {name}"
            )
        service = SimService(self._kernel.identity(), with_defaults(spec), self._kernel.clock.wall_s(), version=10)
        self._services[service.id] = service
        self._kernel.changed(f"service {name} created", by_us=True)
        self._turn_to(service, self._kernel.timings.update_begin_s)
        return service.id

    def _turn_to(self, service: SimService, after_s: float) -> None:
        """The orchestrator is told by an event: who asked has an answer by then."""
        service.begins_s = self._kernel.now_s() + after_s
        self._kernel.later(after_s + 1e-6, self.reconcile)

    def update(self, name: str, version: int, spec: JsonObject) -> None:
        service = self.named(name)
        if service.version != version:
            raise ConflictError("rpc error: code = Unknown desc = update out of sequence")
        if spec.get("Name") != service.name:
            raise RejectedError("rpc error: code = Unimplemented desc = renaming services is not supported")
        service.previous, service.spec = service.spec, with_defaults(spec)
        service.version += 1
        service.update_state, service.update_message, service.update_began_s = "", "", 0.0
        service.not_before.clear()
        self._turn_to(service, self._kernel.spread(self._kernel.timings.update_begin_s))
        self._kernel.changed(f"service {service.name} updated", by_us=True)

    def remove(self, name: str) -> None:
        service = self.named(name)
        del self._services[service.id]
        for task in service.tasks:
            self._end_container(task)
        self._kernel.changed(f"service {service.name} removed", by_us=True)

    # --- what befalls nodes -----------------------------------------------------------------------------------------

    def host_returned(self, node: "SimNode", *, restarted: bool) -> None:
        """After a restart its containers are dead, and so their tasks failed; else it is told what to stop."""
        for service in self._services.values():
            for task in [task for task in service.tasks if task.node_id == node.id and not task.over]:
                if restarted:
                    self._fail(service, task, "failed", "task: non-zero exit (255)")
                elif not task.wanted:
                    self._stop(service, task)
                elif task.state == "preparing":
                    self._start(service, task, node)

    def node_removed(self, node_id: str) -> None:
        for service in self._services.values():
            for task in service.tasks:
                if task.node_id == node_id and not task.over:
                    task.state, task.desired = "orphaned", "shutdown"

    # --- the clockwork ------------------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        if self._swarm.leader is None:
            return
        for service in [s for s in self._services.values() if self._kernel.now_s() >= s.begins_s]:
            self._begin(service)
            self._leave_bad_nodes(service)
            self._roll(service)
            self._fill(service)
            self._place(service)
            forget(service)

    def _begin(self, service: SimService) -> None:
        """With an update that was accepted: until then the Swarm says nothing of it."""
        given_up = any(template != service.template for _, template in service.given_up)
        dirty = given_up or any(task.wanted and task.template != service.template for task in service.tasks)
        if service.begins_s and dirty:
            service.update_state, service.update_message = "updating", "update in progress"
            service.update_began_s = self._kernel.clock.wall_s()
        service.begins_s = 0.0

    def _nodes(self, service: SimService) -> list["SimNode"]:
        placement = service.spec["TaskTemplate"].get("Placement") or {}
        constraints = placement.get("Constraints") or []
        return [
            node
            for node in self._swarm.nodes.values()
            if node.state == "ready" and node.availability == "active" and all(meets(node, one) for one in constraints)
        ]

    def _leave_bad_nodes(self, service: SimService) -> None:
        for task in service.tasks:
            if not task.wanted or not task.node_id:
                continue
            node = self._swarm.nodes.get(task.node_id)
            if node is None or node.state == "down" or node.availability == "drain":
                task.moved = True
                self._stop(service, task)
                if service.replicas is not None:
                    self._count(service, task)

    def _stop(self, service: SimService, task: SimTask) -> None:
        """On a lost node nothing is heard of its end."""
        task.desired = "shutdown"
        node = self._swarm.nodes.get(task.node_id)
        if not task.node_id or node is None:
            task.state = "shutdown"
        elif node.host.alive:
            self._kernel.later(self._kernel.spread(self._kernel.timings.task_stop_s), self._stopped, service, task)

    def _stopped(self, service: SimService, task: SimTask) -> None:
        if not task.over:
            task.state, task.message, task.since_s = "shutdown", "shutdown", self._kernel.clock.wall_s()
            self._end_container(task)
            if task.moved and self._is_watched(service, task):
                self._update_failed(service, task)
            self.reconcile()

    def _is_watched(self, service: SimService, task: SimTask) -> bool:
        """SwarmKit's failureTriggersAction: whatever ends what an update made, within the monitor period, is a failure;
        that its node was drained, too."""
        age_s = 0.0 if task.started_s is None else self._kernel.now_s() - task.started_s
        is_of_update = service.updating and task.by_update and task.template == service.template
        return is_of_update and age_s <= self._kernel.timings.monitor_s

    def _roll(self, service: SimService) -> None:
        """Move dirty slots to the new template, `Parallelism` at a time; done after the monitor period."""
        if not service.updating:
            return
        self._succeed(service)
        live = [task for task in service.tasks if task.wanted]
        coming = {slot_of(service, task) for task in live if task.template == service.template}
        dirty = [task for task in live if task.template != service.template]
        waiting = [task for task in dirty if slot_of(service, task) not in coming]
        moving = len([task for task in live if task.template == service.template and task.state != "running"])
        moving += max(0, (service.replicas or 0) - len({slot_of(service, task) for task in live}))
        free = (service.config("Parallelism", 1) or len(dirty)) - moving
        for task in waiting[: max(0, free)]:
            if not service.starts_first:
                self._stop(service, task)
            elif self._kernel.now_s() >= service.not_before.get(slot_of(service, task), 0.0):
                self._new_task(service, *slot_of(service, task))
            service.watch_until_s = 0.0
        if service.once:
            moving -= len(self._done(service))
        if dirty or moving > 0:
            return
        self._complete_after_monitor(service)

    def _succeed(self, service: SimService) -> None:
        """Started first: an old task ends once the new one of its slot runs."""
        live = [task for task in service.tasks if task.wanted]
        running = {
            slot_of(service, task) for task in live if task.template == service.template and task.state == "running"
        }
        for task in live:
            if task.template != service.template and slot_of(service, task) in running:
                self._stop(service, task)

    def _complete_after_monitor(self, service: SimService) -> None:
        now_s = self._kernel.now_s()
        if not service.watch_until_s:
            service.watch_until_s = now_s + self._kernel.timings.monitor_s
            self._kernel.later(self._kernel.timings.monitor_s + 1e-6, self.reconcile)
        elif now_s >= service.watch_until_s:
            rolled_back = service.update_state == "rollback_started"
            service.update_state = "rollback_completed" if rolled_back else "completed"
            service.update_message = "rollback completed" if rolled_back else "update completed"
            service.version += 1
            self._kernel.changed(f"service {service.name} {service.update_message}", by_us=False)

    def _fill(self, service: SimService) -> None:
        """Tasks for empty slots, none for surplus ones; the highest slots go first."""
        wanted: list[tuple[int, str]]
        if service.replicas is None:
            wanted = [(0, node.id) for node in self._nodes(service)]
        else:
            wanted = [(slot, "") for slot in range(1, service.replicas + 1)]
        # A slot that is updated start-first holds two, and both go with it.
        taken = {slot_of(service, task) for task in service.tasks if task.wanted}
        for task in [task for task in service.tasks if task.wanted and slot_of(service, task) not in wanted]:
            if service.replicas is not None or task.template == service.template:
                self._stop(service, task)
                task.desired = "remove"
        leaving = {slot_of(service, task) for task in service.tasks if self._is_leaving(task)}
        if service.starts_first:
            leaving.clear()
        leaving |= {slot for slot, template in service.given_up if template == service.template}
        if service.once:
            leaving |= self._done(service)
        for key in wanted:
            if key not in taken and key not in leaving and self._kernel.now_s() >= service.not_before.get(key, 0.0):
                self._new_task(service, *key)

    def _done(self, service: SimService) -> set[tuple[int, str]]:
        """Slots of a job whose task was stopped, or ended, however: no other is made of the same template."""
        own = [t for t in service.tasks if t.template == service.template]
        return {slot_of(service, t) for t in own if not t.wanted and t.desired != "remove"}

    def _is_leaving(self, task: SimTask) -> bool:
        """It was told to stop and its node will say when it has."""
        node = self._swarm.nodes.get(task.node_id)
        return task.desired != "running" and not task.over and node is not None and node.host.alive

    def _new_task(self, service: SimService, slot: int, node_id: str) -> None:
        task = SimTask(
            self._kernel.identity(), service.id, slot, node_id, service.template, service.image, service.version
        )
        task.created_s = self._kernel.clock.wall_s()
        others = [before.template for before in service.tasks if slot_of(service, before) == slot_of(service, task)]
        task.by_update = service.updating and task.template not in others
        for before in service.tasks:
            if before.over and before.desired == "running" and slot_of(service, before) == slot_of(service, task):
                before.desired = "shutdown"
        service.tasks.append(task)

    def _place(self, service: SimService) -> None:
        """On the node with the fewest of this service's tasks, then the fewest of all."""
        waiting = [task for task in service.tasks if task.wanted and task.state == "pending"]
        if not waiting:
            return
        nodes = self._nodes(service)
        mine = Counter(task.node_id for task in service.tasks if task.wanted)
        every = Counter(task.node_id for other in self._services.values() for task in other.tasks if task.wanted)
        for task in waiting:
            fit = [node for node in nodes if not task.node_id or task.node_id == node.id]
            if not fit:
                task.message, task.error = "pending task scheduling", "no suitable node"
                continue
            node = min(fit, key=lambda node: (mine[node.id], every[node.id]))
            mine[node.id] += 1
            every[node.id] += 1
            task.node_id, task.state, task.message, task.error = node.id, "preparing", "preparing", ""
            self._kernel.later(self._kernel.spread(self._kernel.timings.task_start_s), self._start, service, task, node)

    def _start(self, service: SimService, task: SimTask, node: "SimNode") -> None:
        if task.state != "preparing" or not node.host.alive:
            return
        if not holds(node.host.images, task.image):
            self._fail(service, task, "rejected", f"No such image: {task.image}")
            return
        now_s, wall_s = self._kernel.now_s(), self._kernel.clock.wall_s()
        task.state, task.message, task.started_s, task.since_s = "running", "started", now_s, wall_s
        task.container_id = self._kernel.identity(64)
        told = _EXIT.search(task.template)
        if told:
            self._kernel.later(self._kernel.timings.task_fail_s, self._exit, service, task, int(told[1]))
        if task.image.partition("@")[0] in self.bad_images:
            self._kernel.later(self._kernel.timings.task_fail_s, self._die, service, task)
        self.reconcile()

    def _exit(self, service: SimService, task: SimTask, code: int) -> None:
        if task.state == "running":
            told = f"task: non-zero exit ({code})" if code else ""
            self._fail(service, task, "failed" if code else "complete", told)

    def _die(self, service: SimService, task: SimTask) -> None:
        if task.state == "running":
            self._fail(service, task, "failed", "task: non-zero exit (1)")

    def end(self, name: str, slot: int, code: int) -> None:
        """What runs in a slot ends by itself."""
        service = self.named(name)
        for task in [task for task in service.tasks if task.slot == slot]:
            self._exit(service, task, code)

    def kill(self, container_id: str) -> None:
        """A container of a task was killed by hand."""
        for service in self._services.values():
            for task in service.tasks:
                if task.container_id == container_id:
                    self._fail(service, task, "failed", "task: non-zero exit (137)")

    def _fail(self, service: SimService, task: SimTask, state: str, error: str) -> None:
        was_wanted = task.wanted
        task.state, task.error, task.since_s = state, error, self._kernel.clock.wall_s()
        self._end_container(task)
        if service.once:
            task.desired = "shutdown"
        if was_wanted:
            restart_s = self._kernel.timings.restart_s
            service.not_before[slot_of(service, task)] = self._kernel.now_s() + restart_s
            self._count(service, task)
            self._kernel.later(restart_s + 1e-6, self.reconcile)
            if service.updating and task.template == service.template:
                self._update_failed(service, task)
        self.reconcile()

    def _count(self, service: SimService, task: SimTask) -> None:
        """An end, or a move from a bad node: Swarm counts both."""
        tried = slot_of(service, task), task.template
        if service.attempts_max and service.restarted[tried] >= service.attempts_max:
            service.given_up.add(tried)
            task.desired = "shutdown"
        service.restarted[tried] += 1

    def _update_failed(self, service: SimService, task: SimTask) -> None:
        """FailureAction pause (the default), continue or rollback; a rollback is never rolled back (W47)."""
        rolling_back = service.update_state == "rollback_started"
        action = service.config("FailureAction", "pause")
        if action == "continue":
            return
        reason = f"due to failure or early termination of task {task.id}"
        if action == "rollback" and not rolling_back and service.previous is not None:
            service.spec, service.previous = service.previous, None
            service.update_state, service.update_message = "rollback_started", f"update rolled back {reason}"
        else:
            service.update_state = "rollback_paused" if rolling_back else "paused"
            service.update_message = f"{'rollback' if rolling_back else 'update'} paused {reason}"
        service.watch_until_s = 0.0
        service.version += 1
        self._kernel.changed(f"service {service.name} {service.update_message}", by_us=False)

    def _end_container(self, task: SimTask) -> None:
        task.container_id = ""

"""The state machine: people, programs, processes and misfortune, in any order Hypothesis finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from peewee import OperationalError

from agenttower import bootstrap
from agenttower.errors import AgentTowerError
from agenttower.services.caller import HOST
from tests.model import ending
from tests.model.contract_model import OK, REPLAY, TEMPLATES
from tests.model.fake_bench import FakeContainer, Fault
from tests.model.rig import Killed, WorkerProcess
from tests.model.scene import ADOPTED, FOREIGN, MEANWHILE, MISFORTUNES, Moment, Scene

UNREACHABLE = {
    "tmux_unavailable",
    "docker_unavailable",
    "container_inactive",
    "container_not_found",
    "internal_error",
}
"""What a request may answer where the bench or the database failed it."""
T = TypeVar("T")

some = st.integers(0, 15)
during = st.none() | st.tuples(st.integers(0, 8), st.sampled_from(MEANWHILE), some)
"""What else happens during a call: after how many passages, what, and to whom."""


class LifecycleMachine(Scene, RuleBasedStateMachine):
    """Requests are compared with the contract's answers; the rest is checked commit by commit."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Scene.__init__(self)

    def teardown(self) -> None:
        try:
            if not self.broken:
                ending.settle(self)
                self.reach_for_an_adopted_agent()
        finally:
            self.rig.close()

    # --- asking ----------------------------------------------------------------------------------

    def ask(
        self,
        predict: Callable[[], str],
        request: Callable[[], dict[str, Any] | None],
        during: Moment | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """Make a request of the front end and compare the answer with the contract's."""
        self.arm(during)
        self._predict, self.answers = predict, {predict()}
        harm = self.world.harm
        refused = bool(self.rig.store.locked or self.rig.store.full)
        result: dict[str, Any] = {}
        try:
            result = request() or {}
            got = REPLAY if result.get("replay") else OK
        except AgentTowerError as error:
            got = error.code
            self.answers.add(predict())  # the time a refusal took may have been too long
        except OperationalError:
            got = "internal_error"
        except Killed:
            assert not self.rig.store.inside()
            return "killed", {}
        finally:
            allowed, self.answers = self.answers, None
        asleep = any(c.status != "running" for c in self.world.containers.values())
        gone = len(self.world.containers) < 3
        if self.world.harm != harm or refused or asleep or gone:
            allowed |= UNREACHABLE
        if self.world.harm != harm:
            allowed.add("managed_session_name_conflict")  # it changed between two questions
        with self.checking():
            assert got in allowed, f"answered {got}, contract: {allowed}"
        return got, result

    @initialize(which=st.integers(0, 2), flaky=st.booleans(), worked=st.integers(0, 4))
    def begin(self, which: int, flaky: bool, worked: int) -> None:
        self.create(which, "1m+2s", "one", "", None, flaky, None)
        self.work_for_long(worked)

    @rule(
        which=st.integers(0, 2),
        template=st.sampled_from(["1m+2s", "1m+2s", "2m+2s", "2m+2s", "none"]),
        session=st.sampled_from(["one", "two", "two", "th.ree", "th_ree", FOREIGN, "bad name"]),
        prefix=st.sampled_from(["", "a-", "b-", "c-"]),
        key=st.sampled_from([None, None, "k1", "k2"]),
        flaky=st.booleans(),
        during=during,
    )
    def create(
        self,
        which: int,
        template: str,
        session: str,
        prefix: str,
        key: str | None,
        flaky: bool,
        during: Moment | None,
    ) -> None:
        container_id = self.container(which).id
        overrides = {f"slave:{prefix}{label}": "flaky" for label in ("s1", "s2")}
        before = set(self.contract.layouts)
        harm = self.world.harm
        got, result = self.ask(
            lambda: self.contract.create(
                container_id, session, template, prefix, key, self.circumstances()
            ),
            lambda: self.rig.tower.create_layout(
                HOST,
                container_id=container_id,
                template_name=template,
                tmux_session_name=session,
                launch_command_overrides=overrides if flaky else {},
                idempotency_key=key,
                label_prefix=prefix,
            ),
            during,
        )
        if got == OK:
            assert result["layout_id"] in set(self.contract.layouts) - before
            assert [p["label"] for p in result["panes"]] == [
                prefix + label for label in TEMPLATES[template]
            ]
        elif got == REPLAY and key:
            layout = self.contract.layout_of_key(container_id, key)
            assert layout is not None
            assert result["layout_id"] == layout.layout_id
            assert result["state"] == layout.state
        elif self.world.harm == harm:
            assert set(self.contract.layouts) == before, "a refusal has an effect"

    @precondition(lambda self: self.contract.panes)
    @rule(which=some, key=st.sampled_from([None, None, "r1", "r2"]), during=during)
    def recreate(self, which: int, key: str | None, during: Moment | None) -> None:
        self.recreate_of(self.pane_id(which, "failed", "removed"), key, during)

    def recreate_of(
        self, pane_id: str, key: str | None = None, during: Moment | None = None
    ) -> None:
        got, result = self.ask(
            lambda: self.contract.recreate(pane_id, key, self.circumstances()),
            lambda: self.order_recreation(pane_id, key),
            during,
        )
        if got in (OK, REPLAY):
            pane = self.contract.panes[result["pane_id"]]
            assert (result["predecessor_id"], result["chain_depth"]) == (pane_id, pane.depth)
            assert pane.predecessor == pane_id

    @precondition(lambda self: self.contract.panes)
    @rule(which=some, during=during)
    def remove_pane(self, which: int, during: Moment | None) -> None:
        self.remove_pane_of(self.pane_id(which, "ready", "degraded", "failed"), during)

    def remove_pane_of(self, pane_id: str, during: Moment | None = None) -> None:
        standing = self.contract.panes[pane_id].state != "removed"
        got, _ = self.ask(
            lambda: self.contract.remove(
                [pane_id], self.watch.under_removal(), self.circumstances()
            ),
            lambda: self.order_removal(pane_id),
            during,
        )
        if got == OK and standing:
            self.contract.unwanted.add(pane_id)

    @precondition(lambda self: self.contract.layouts)
    @rule(which=some, during=during)
    def remove_layout(self, which: int, during: Moment | None) -> None:
        pane_id = self.pane_id(which, "ready", "degraded")
        self.remove_layout_of(self.contract.panes[pane_id].layout_id, during)

    def remove_layout_of(self, layout_id: str, during: Moment | None = None) -> None:
        self.ask(
            lambda: self.contract.remove(
                [pane.pane_id for pane in self.contract.current(layout_id)],
                self.watch.under_removal(),
                self.circumstances(),
            ),
            lambda: self.rig.tower.begin_layout_removal(HOST, layout_id),
            during,
        )

    @rule(which=some)
    def program_fails(self, which: int) -> None:
        """A program ends, and the worker is told of it at once."""
        self.happens("program exits", which)
        for container_id in list(self.world.containers):
            self._survive(partial(self._look_at, container_id))

    def _look_at(self, container_id: str, worker: WorkerProcess) -> bool:
        return self.rig.look(container_id)

    def reach_for_an_adopted_agent(self) -> None:
        """FR-012: it is refused, whatever has happened."""
        for reach in (self.order_removal, self.order_recreation):
            self.ask(lambda: "managed_pane_protected_adopted", partial(reach, ADOPTED))

    # --- working ---------------------------------------------------------------------------------

    @rule(messages=st.integers(1, 4), during=during)
    def work(self, messages: int, during: Moment | None) -> None:
        self.arm(during)
        for _ in range(messages):
            self._survive(lambda worker: self.rig.run_message())

    @rule(
        skip=st.integers(0, 6),
        what=st.sampled_from(["lease expires", "lease expires", "swept", "killed", "looked at"]),
        which=some,
    )
    def work_interrupted(self, skip: int, what: str, which: int) -> None:
        """One step, in the middle of which something else happens."""
        self.work(1, (skip, what, which))

    @rule(seconds=st.integers(0, 5))
    def work_for_long(self, seconds: int) -> None:
        for _ in range(seconds):
            for _ in range(8):
                if not self._survive(lambda worker: self.rig.run_message()):
                    break
            self.rig.time.sleep(1)

    def _survive(self, work: Callable[[WorkerProcess], T]) -> T | None:
        """Do something in the worker; a refused database is met there as by any thread."""
        try:
            return self.rig.as_worker(work)
        except (AgentTowerError, OperationalError):
            return None

    @rule(seconds=st.sampled_from([1, 1, 2, 5, 16, 46, 301]))
    def time_passes(self, seconds: int) -> None:
        self.rig.time.sleep(seconds)
        self._survive(lambda worker: self.rig.beat())

    @rule(what=st.sampled_from(["rescue", "sweep", "relay", "dies"]), during=during)
    def worker_does(self, what: str, during: Moment | None) -> None:
        self.arm(during)

        def do(worker: WorkerProcess) -> object:
            match what:
                case "rescue":
                    return worker.engine.rescue()
                case "sweep":
                    return worker.sweep.run()
                case "relay":
                    return worker.relay.run_once()
            raise Killed

        self._survive(do)

    @rule(which=st.integers(0, 2), recovering=st.booleans(), during=during)
    def look(self, which: int, recovering: bool, during: Moment | None) -> None:
        """The health look of the worker, or the recovery of a new front end."""
        self.arm(during)
        container = self.container(which)
        harm = self.world.harm
        expected = self._expected_of_a_look(container)
        deadline = self.rig.time.monotonic() + 10

        def judge(worker: Any) -> bool:
            by = self.rig.recovery if recovering else bootstrap.reconciler(worker.core)
            return bool(by.container(container.id, deadline, recovering=recovering))

        if self._survive(judge) and self.world.harm == harm:
            states = {name: self.contract.panes[name].state for name in expected}
            with self.checking():
                assert states == expected, f"found {states}"

    def _expected_of_a_look(self, container: FakeContainer) -> dict[str, str]:
        leaving = self.watch.under_removal()
        views = container.tmux.views()
        expected = {}
        for pane in self.contract.panes.values():
            if pane.container_id != container.id or pane.pane_id in leaving:
                continue
            if pane.state not in ("ready", "degraded"):
                continue
            view = views.get(pane.pane_id.replace("-", ""))
            if view is None and container.status != "paused":
                expected[pane.pane_id] = "failed"
            elif view is not None and view.exit is not None and pane.state == "ready":
                expected[pane.pane_id] = "degraded"
            elif not container.log_deaf:
                expected[pane.pane_id] = pane.state
        return expected

    # --- misfortune ------------------------------------------------------------------------------

    @rule(fault=st.sampled_from(list(Fault)), skip=st.integers(0, 8), times=st.integers(1, 3))
    def bench_will_fail(self, fault: Fault, skip: int, times: int) -> None:
        self.world.faults += [(skip, fault)] + [(0, fault)] * (times - 1)

    @rule(call=st.sampled_from(["set_title", "create_pane", "kill_pane", "find_panes", ""]))
    def one_call_gets_stuck(self, call: str) -> None:
        self.world.stuck = call

    @rule(times=st.integers(1, 8), full=st.booleans())
    def database_will_refuse(self, times: int, full: bool) -> None:
        if full:
            self.rig.store.full += min(times, 2)
        else:
            self.rig.store.locked += times

    @rule(times=st.integers(1, 4))
    def engine_goes_away(self, times: int) -> None:
        self.world.docker_down = times

    @rule(what=st.sampled_from(MISFORTUNES), which=some)
    def misfortune(self, what: str, which: int) -> None:
        try:
            self.happens(what, which)
        except Killed:
            assert not self.rig.store.inside()

    @precondition(lambda self: len(self.world.containers) > 2)
    @rule(which=st.integers(0, 2))
    def destroy(self, which: int) -> None:
        self.world.destroy(self.container(which))

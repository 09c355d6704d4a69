"""A callback that asks to stop ends the whole solve, also where one solver runs others."""

import pytest

from skrand import registry

TASKS = sorted(
    {e.task for e in registry.entries(kind="solver") if e.name == "auto" and e.dist == "skrand"}
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", TASKS)
def test_auto_ends_when_it_is_asked_to(task):
    solver = registry.resolve_solver("auto", task)
    instances = registry.load(registry.get(task, kind="task"))().instances()
    stopped_short = 0
    for instance in instances:
        if solver.supports(instance.problem) is not None:
            continue
        full = solver.solve(instance.problem, rng=0)
        states = []

        def stop(state, states=states):
            states.append(state)
            return True

        stopped = solver.solve(instance.problem, rng=0, callback=stop)
        # Targets that are solved one after the other need an answer each.
        targets = len({state.get("target") for state in states})
        assert len(states) == len(stopped.history) == targets
        if len(full.history) > targets:
            stopped_short += 1
            assert not stopped.converged
            assert stopped.message == "A callback asked it to stop."
    assert stopped_short or task == "least-squares"

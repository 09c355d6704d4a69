"""The default solver of each task on its own instances, and what starting up costs."""

import warnings

from skrand import registry

#: Tasks and, of their instances, the first: the plain case.
TASKS = [entry.name for entry in registry.entries(kind="task")]


class DefaultSolver:
    param_names = ("task",)
    params = (TASKS,)
    timeout = 300

    def setup(self, name):
        warnings.simplefilter("ignore")
        self.task = registry.load(registry.get(name, kind="task"))()
        self.instance = next(iter(self.task.instances("small", seed=0)))
        default = next(e for e in registry.entries(kind="solver", task=name) if e.default)
        self.solver = registry.load(default)()

    def time_solve(self, name):
        self.solver.solve(self.instance.problem, rng=0)

    def peakmem_solve(self, name):
        self.solver.solve(self.instance.problem, rng=0)

    def track_iterations(self, name):
        return self.solver.solve(self.instance.problem, rng=0).n_iter


class Startup:
    def timeraw_import(self):
        return "import skrand"

    def timeraw_list(self):
        # asv reads the time from standard output.
        return (
            "import contextlib, io\n"
            "from skrand.cli import main\n"
            "with contextlib.redirect_stdout(io.StringIO()):\n"
            "    main(['list', '--json'])"
        )

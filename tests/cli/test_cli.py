"""What each command prints and how it exits, in processes of their own.

Output that has to stay as it is stands in golden/. To write it anew, after looking at what has
changed: ``SKRAND_GOLDEN=write python -m pytest tests/cli``.
"""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import skrand

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixture_plugins"


def run(*words, plugins=(), width=120, binary=False, **environment):
    """Run a command with these fixture plugins and the core alone."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(FIXTURES / name) for name in plugins),
        "SKRAND_PLUGINS": ",".join(f"fixture-{name.replace('_', '-')}" for name in plugins),
        "COLUMNS": str(width),
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "skrand", *words], capture_output=True, text=not binary, env=env
    )


def golden(name, text):
    """Compare with a file, once figures and versions are taken out."""
    text = text.replace(skrand.__version__, "VERSION")
    text = re.sub(r"\d+\.\d ms", "N ms", text)
    text = re.sub(r"\(\d+\.\d s\)", "(N s)", text)
    text = re.sub(r'("(?:seconds|load_time)": )[-+.e\d]+', r"\1N", text)
    file = HERE / "golden" / name
    if os.environ.get("SKRAND_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words", "plugins", "width"),
    [
        ("list.txt", ["list", "toy"], ["toy", "toy_rival"], 120),
        ("list_narrow.txt", ["list", "toy"], ["toy", "toy_rival"], 80),
        ("list_can.txt", ["list", "toy", "--can", "sparse", "--can", "float32"], ["toy"], 120),
        ("list.json", ["list", "toy", "--can", "warm-start", "--json"], ["toy"], 120),
        ("info.txt", ["info", "gauss"], ["good"], 120),
        ("info.json", ["info", "gauss", "--json"], ["good"], 120),
        ("info_needs.txt", ["info", "needy"], ["needs_missing"], 120),
        ("verify.txt", ["verify", "gauss"], ["good"], 80),
        ("verify.json", ["verify", "gauss", "--json"], ["good"], 80),
        ("check_needs.txt", ["check", "needy"], ["needs_missing"], 80),
    ],
)
def test_output(name, words, plugins, width):
    done = run(*words, plugins=plugins, width=width)
    golden(name, done.stdout)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "words", "plugins"),
    [
        ("info_broken.txt", ["info", "not-a-class"], ["wrong_class"]),
        ("check_broken.txt", ["check", "--plugin", "wrong-class"], ["wrong_class"]),
        ("check_broken.json", ["check", "not-there", "--json"], ["wrong_class"]),
        ("check_plugin.txt", ["check", "--plugin", "fixture-import-error"], ["import_error"]),
    ],
)
def test_output_about_what_is_broken(name, words, plugins):
    done = run(*words, plugins=plugins)
    golden(name, done.stdout)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_what_belongs_to_a_task_and_what_a_problem_is():
    text = run("info", "least-squares", plugins=["good"]).stdout
    assert re.search(r"^solvers +auto, cg, .*normal-equations", text, re.MULTILINE)
    assert re.search(r"^estimators +SketchedRegressor$", text, re.MULTILINE)
    assert "skrand.regression.problem.LeastSquares" in text
    assert "\nb : ndarray of shape (n, k)\n" in text


BROKEN = ["bad_entry", "import_error", "misspelt_hook", "raising_hook", "system_exit"]
USABLE = ["chatty", "core_name", "good", "needs_missing", "slow_import", "twin_a", "twin_b"]
ALL = [*BROKEN, *USABLE, "unknown_task", "wrong_class"]


def test_plugins():
    done = run("plugins", plugins=ALL)
    # Other plugins may be installed, and the core grows.
    ours = re.compile(r"PLUGIN|[a-z-]+ +fixture-|.*( is |^$)")
    lines = [line for line in done.stdout.splitlines() if ours.match(line)]
    # Versions and times are not of one length.
    golden("plugins.txt", re.sub(r"  +", "  ", "\n".join(lines) + "\n"))
    assert done.returncode == 1
    # The module that prints does so elsewhere, and nothing is said twice.
    assert done.stderr == "hello from the plugin\n"


def test_plugins_where_all_is_well():
    done = run("plugins", "--json", plugins=["good", "needs_missing"])
    assert done.returncode == 0
    content = json.loads(done.stdout)
    assert content["schema"] == 1
    assert [plugin["name"] for plugin in content["plugins"] if plugin["status"] == "ok"] == [
        "core",
        "good",
        "needs-missing",
    ]


def test_the_whole_list():
    done = run("list", plugins=["toy"])
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "STATUS", "PLUGIN", "CAPABILITIES", "SUMMARY"]
    headings = [after for before, after in pairwise(lines) if not before]
    assert [heading.partition(":")[0] for heading in headings] == [
        *sorted({"least-squares", "toy"} | {h.partition(":")[0] for h in headings[:-1]}),
        "no task",
    ]
    assert any(line.startswith("sap ") for line in lines)
    assert max(map(len, lines)) <= 120
    narrow = run("list", plugins=["good"], width=80).stdout
    assert max(map(len, narrow.splitlines())) <= 80
    tasks = run("list", "task", plugins=["toy"]).stdout
    assert re.search(r"^toy +ok +toy +Add two numbers", tasks, re.MULTILINE)


def test_broken_plugins_do_not_change_what_is_listed():
    alone = run("list", "--json")
    among = run("list", "--json", plugins=BROKEN)
    assert among.stdout == alone.stdout
    assert among.returncode == 0
    assert among.stderr.count("PluginWarning") == len(BROKEN)


def test_standard_output_is_data():
    done = run("list", "--json", plugins=["chatty"])
    assert json.loads(done.stdout)["schema"] == 1
    assert done.stderr == "hello from the plugin\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["lst"],
            "skrand: unknown command 'lst'. Did you mean 'list'? "
            "Commands: list, info, plugins, check, verify, bench, demo",
        ),
        (
            [],
            "skrand: name a command: list, info, plugins, check, verify, bench, demo. "
            "`skrand --help` says what each does.",
        ),
        (["info"], "skrand info: the following arguments are required: NAME"),
        (["check"], "skrand check: give NAME, --plugin or --all"),
        (["verify"], "skrand verify: give NAME or --all"),
        (
            ["info", "lapak"],
            "skrand: Unknown name 'lapak'. Did you mean 'lapack'? `skrand list` shows all names.",
        ),
        (
            ["list", "solvers"],
            "skrand: Unknown kind or task 'solvers'. Did you mean 'solver'? "
            "Kinds: task, solver, estimator. Tasks: ",
        ),
        (
            ["list", "--can", "sprase"],
            "skrand: Unknown capability 'sprase'. Did you mean 'sparse'? Known: deterministic, "
            "float32, inductive, l1-loss, lazy, lp-loss, missing, multi-output, partial-fit, "
            "sample-weight, sparse, unbalanced, warm-start.",
        ),
        (
            ["bench", "least-square"],
            "skrand: Unknown task 'least-square'. Did you mean 'least-squares'? Known: ",
        ),
        (
            ["check", "--plugin", "cor"],
            "skrand: unknown plugin 'cor'. Did you mean 'core'? Known: core, ",
        ),
        (["verify", "chol"], "skrand: 'chol' makes no claim. `skrand verify --all` runs them all."),
    ],
)
def test_what_was_not_understood(words, message):
    done = run(*words)
    assert done.stdout == ""
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 2


def test_strict_mode():
    done = run("list", plugins=["import_error"], SKRAND_STRICT="1")
    assert done.returncode == 1
    assert done.stderr.startswith("skrand: Plugin 'import-error' (fixture-import-error 1.0) is br")


def test_a_claim_that_cannot_be_measured():
    done = run("verify", "not-a-solver", plugins=["wrong_class"])
    assert done.returncode == 1
    assert done.stderr == "skrand: not-a-solver: ZeroDivisionError: nothing to divide by\n"


def test_check_passes_the_core():
    done = run("check", "chol", "--json")
    (report,) = json.loads(done.stdout)["report"]
    assert report["name"] == "skrand:chol"
    assert {check["status"] for check in report["checks"]} <= {"passed", "skipped"}
    assert done.returncode == 0


def test_bench(tmp_path):
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    done = run(
        *("bench", "least-squares", "--json", str(file), "--plot", str(picture)),
        plugins=["good", "needs_missing"],
    )
    assert done.returncode == 0
    content = json.loads(file.read_text())
    assert content["schema"] == 1
    assert content["size"] == "tiny"
    solvers = {row["solver"] for row in content["rows"]}
    assert {"auto", "chol", "normal-equations", "scikit-learn"} <= solvers
    assert "needy" not in solvers
    for row in content["rows"]:
        if row["solver"] == "scikit-learn":
            assert row["speedup"] == 1
        assert row["cpu_seconds"] > 0
        assert row["wall_seconds"] > 0
        assert all(value >= 0 for value in row["measured"].values())
    assert done.stdout.startswith("INSTANCE")
    # One block an instance.
    instances = dict.fromkeys(row["instance"] for row in content["rows"])
    assert [block.count("\n") + 1 for block in done.stdout.strip().split("\n\n")] == [
        sum(row["instance"] == instance for row in content["rows"]) + (position == 0)
        for position, instance in enumerate(instances)
    ]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written(tmp_path):
    done = run("bench", "least-squares", "--json", str(tmp_path / "missing" / "file.json"))
    assert done.returncode == 1
    assert done.stderr.startswith("skrand: [Errno 2] No such file or directory: ")


def test_bench_records_what_it_was_made_with():
    content = json.loads(run("bench", "linear-system", "--json", "--seed", "3").stdout)
    assert (content["task"], content["size"], content["seed"]) == ("linear-system", "tiny", 3)
    described = content["environment"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", described["date"])
    assert described["cpu"]
    assert described["threads"]["openmp"] >= 1
    assert described["packages"]["skrand"] == skrand.__version__
    assert {"numpy", "scipy", "scikit-learn"} <= described["packages"].keys()
    for row in content["rows"]:
        assert row["peer"] == row["solver"].startswith("scipy-")
        assert row["speedup_over"] == "scipy-lstsq"
        assert min(row["cpu_repeats"]) <= row["cpu_seconds"] <= max(row["cpu_repeats"])


def stored_run(**changes):
    """What ``skrand bench --json`` writes, with figures that are the same everywhere."""

    def row(solver, seconds, *, peer=False, instance="dense", error=1e-12):
        return {
            "instance": instance,
            "solver": solver,
            "peer": peer,
            "cpu_seconds": seconds,
            "wall_seconds": seconds,
            "cpu_repeats": [seconds * (1 + k / 100) for k in (-2, -1, 0, 1, 2)],
            "speedup": None,
            "speedup_over": None,
            "converged": True,
            "measured": {"excess_objective": error},
        }

    factors = {"chol": 1.0, "qr": 1.0, "drifted": 1.0, "numpy": 1.0, **changes}
    rows = [row(name, 0.01 * f, peer=name == "numpy") for name, f in factors.items()]
    return {
        "schema": 1,
        "task": "least-squares",
        "size": "tiny",
        "seed": 0,
        "environment": {
            "date": "2020-01-01",
            "cpu": "One",
            "threads": {"openmp": 2},
            "packages": {"numpy": "2.0"},
        },
        "rows": rows,
    }


def test_bench_compares_two_runs(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    before = stored_run(gone=1.0)
    # The peer took 1.3 times as long: so did the machine.
    now = stored_run(chol=0.5, qr=2.0, drifted=1.3, numpy=1.3, new=1.0)
    now["environment"] |= {"date": "2021-01-01", "packages": {"numpy": "2.1", "ot": "1.0"}}
    old.write_text(json.dumps(before))
    new.write_text(json.dumps(now))
    done = run("bench", "--compare", str(old), str(new))
    assert done.returncode == 0
    golden("bench_compare.txt", done.stdout)
    report = json.loads(run("bench", "--compare", str(old), str(new), "--json").stdout)
    verdicts = {row["solver"]: row["verdict"] for row in report["comparison"]}
    assert verdicts == {
        "chol": "faster",
        "qr": "slower",
        "drifted": "within noise",
        "numpy": "within noise",
    }


def test_bench_runs_a_stored_run_again(tmp_path):
    file = tmp_path / "old.json"
    run("bench", "linear-system", "--json", str(file), "--seed", "2")
    done = run("bench", "--compare", str(file), "--json")
    again = json.loads(done.stdout)
    assert (again["task"], again["seed"]) == ("linear-system", 2)
    assert len(again["comparison"]) == len(again["rows"])
    for row in again["comparison"]:
        assert row["ratio"] == pytest.approx(row["before"] / row["now"])
        assert row["measured_before"] == row["measured_now"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name a task: `skrand list task` shows them."),
        (["lp-regression", "--compare", "{old}"], "has task 'least-squares', not 'lp-regression'."),
        (["--seed", "4", "--compare", "{old}"], "has seed 0, not 4."),
        (["--compare", "{old}", "{old}", "{old}"], "--compare takes one file, or two."),
        (["--compare", "{broken}"], "is not what `skrand bench --json` of this version writes."),
    ],
)
def test_bench_refuses(tmp_path, words, message):
    files = {"old": tmp_path / "old.json", "broken": tmp_path / "broken.json"}
    files["old"].write_text(json.dumps(stored_run()))
    files["broken"].write_text('{"rows": []}')
    done = run("bench", *(word.format(**files) for word in words))
    assert done.returncode == 2
    assert done.stderr.rstrip().endswith(message)


def test_bench_leaves_broken_solvers_out():
    done = run("bench", "least-squares", "--json", plugins=["wrong_class"])
    assert {row["solver"] for row in json.loads(done.stdout)["rows"]} >= {"auto", "chol"}
    assert done.stderr.count("cannot be used") == 3
    assert done.returncode == 1


def test_demo():
    done = run("demo", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert "SketchedRegressor" in [row["estimator"] for row in rows]
    for row in rows:
        assert row["solver"]
        assert row["certified"]
        assert row["time_ratio"] > 0


def test_the_version():
    assert run("--version").stdout == f"skrand {skrand.__version__}\n"


@pytest.mark.parametrize("command", ["list", "info", "plugins", "check", "verify", "bench", "demo"])
def test_help(command):
    assert re.search(rf"^    {command} +\w", run("--help").stdout, re.MULTILINE)
    done = run(command, "--help")
    assert done.stdout.startswith(f"usage: skrand {command} ")
    assert "--json" in done.stdout
    assert done.returncode == 0


def test_a_reader_that_stops_early():
    command = f"{sys.executable} -m skrand list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("NAME")
    assert "Error" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_only_on_a_terminal(no_color, coloured):
    import pty

    assert "\x1b" not in run("list").stdout
    reader, writer = pty.openpty()
    env = {**os.environ, "SKRAND_PLUGINS": "", "NO_COLOR": no_color}
    command = [sys.executable, "-m", "skrand", "list"]
    with subprocess.Popen(command, stdout=writer, env=env) as process:
        os.close(writer)
        text = b""
        try:
            while piece := os.read(reader, 4096):
                text += piece
        except OSError:
            # How Linux reports the end.
            pass
        process.wait()
    os.close(reader)
    assert (b"\x1b[32mok" in text) == coloured

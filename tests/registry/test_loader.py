"""What goes wrong in one plugin stays with that plugin."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from skrand import builtin, registry
from skrand.exceptions import AmbiguousNameError, PluginError, PluginWarning, UnknownNameError


def least_squares(entries):
    return [e for e in entries if e.kind == "solver" and e.task == "least-squares"]


#: The core's solvers of this task, in the order of the registry.
CORE = [
    entry.name
    for entry in sorted(
        least_squares(builtin.skrand_entries()), key=lambda e: (not e.default, e.name)
    )
]


def record(name):
    (found,) = [plugin for plugin in registry.plugins() if plugin.name == name]
    return found


def solvers():
    return [entry.name for entry in registry.entries(kind="solver", task="least-squares")]


BROKEN = {
    "import_error": "ModuleNotFoundError: No module named 'a_module_that_is_not_installed'",
    "system_exit": "It called sys.exit(3) while it was loaded.",
    "raising_hook": "RuntimeError: the hook went wrong",
    "misspelt_hook": "fixture_misspelt_hook implements the hook 'skrand_entry', which skrand does "
    "not have. Did you mean 'skrand_entries'? The only hook is skrand_entries() -> list[Entry].",
    "bad_entry": "The 'capabilities' field of Entry 'misspelt' must be a subset of deterministic, "
    "float32, inductive, l1-loss, lazy, lp-loss, missing, multi-output, partial-fit, "
    "sample-weight, sparse, unbalanced, warm-start. Got 'sprase' instead. Did you mean 'sparse'?",
}


@pytest.mark.parametrize(("case", "error"), BROKEN.items())
def test_a_broken_plugin_is_named_and_harms_nobody(install, case, error):
    install(case, "good")
    name = case.replace("_", "-")
    with pytest.warns(PluginWarning) as warned:
        assert set(solvers()) == {*CORE, "normal-equations", "old-equations"}
    assert [str(one.message) for one in warned] == [
        f"Plugin {name!r} (fixture-{name} 1.0) is broken and left out. {error} "
        "`skrand plugins` shows more."
    ]
    # Warned about once; listed with its error for good.
    assert registry.make_solver("least-squares", "sap")
    assert (record(name).status, record(name).error) == ("broken", error)
    assert record(name).entries == ()
    assert record("good").status == "ok"


@pytest.mark.parametrize("case", BROKEN)
def test_strict_mode_raises(install, monkeypatch, case):
    install(case)
    monkeypatch.setenv("SKRAND_STRICT", "1")
    with pytest.raises(PluginError, match="is broken") as caught:
        registry.entries()
    assert caught.value.__cause__ is not None


@pytest.mark.filterwarnings("ignore::skrand.exceptions.PluginWarning")
def test_the_error_for_an_unknown_name_points_at_broken_plugins(install):
    install("import_error")
    with pytest.raises(UnknownNameError) as caught:
        registry.get("whatever", kind="estimator", task="least-squares")
    assert str(caught.value) == (
        "Unknown estimator 'whatever' for task 'least-squares'. Known: SketchedRegressor. What "
        "these broken plugins bring is missing: 'import-error' (fixture-import-error 1.0); "
        "`skrand plugins` says why."
    )


def test_a_warning_that_is_an_error_leaves_the_registry_whole(install):
    install("import_error", "good")
    with pytest.raises(PluginWarning):
        registry.entries()
    assert "normal-equations" in solvers()


def test_a_core_name_cannot_be_taken(install):
    install("core_name")
    with pytest.warns(PluginWarning, match="Use 'fixture-core-name:sap'"):
        assert registry.get("sap").dist == "skrand"
    stranger = registry.get("fixture-core-name:sap")
    assert stranger.status == "ambiguous"
    assert stranger.error == (
        "The solver 'sap' is also one of skrand. Use 'fixture-core-name:sap'."
    )
    assert registry.load(stranger).__module__ == "fixture_core_name_solver"
    assert registry.make_solver("least-squares", "sap").__module__.startswith("skrand.")
    made = registry.make_solver("least-squares", "fixture-core-name:sap")
    assert made.__module__ == "fixture_core_name_solver"


@pytest.mark.parametrize("order", [("twin_a", "twin_b"), ("twin_b", "twin_a")])
def test_two_outsiders_with_one_name(install, order):
    install(*order)
    with pytest.warns(PluginWarning) as warned:
        registry.entries()
    assert len(warned) == 2
    with pytest.raises(AmbiguousNameError) as caught:
        registry.make_solver("least-squares", "twin")
    assert str(caught.value) == (
        "The name 'twin' is ambiguous. Use one of: fixture-twin-a:twin, fixture-twin-b:twin."
    )
    for twin in "ab":
        solver = registry.make_solver("least-squares", f"fixture-twin-{twin}:twin")
        assert solver.__module__ == f"fixture_twin_{twin}_solver"
    with pytest.raises(UnknownNameError, match="fixture-twin-a:twin, fixture-twin-b:twin"):
        registry.get("nothing", kind="solver")


def test_an_alias_gives_way_to_a_name(write_plugin):
    code = """
@hookimpl
def skrand_entries():
    yield Entry(
        kind="solver", name="{}", aliases=[{}], target="x:X", task="least-squares", summary="X"
    )
"""
    write_plugin("first", code.format("one", "'two', 'chol', 'both'"), folder="first")
    write_plugin("second", code.format("two", "'both'"), folder="second")
    assert registry.get("two").dist == "second"
    assert registry.get("chol").dist == "skrand"
    assert registry.get("first:two").name == "one"
    assert {entry.status for entry in registry.entries()} == {"ok"}
    with pytest.raises(AmbiguousNameError, match="first:one, second:two"):
        registry.get("both")


def test_a_missing_requirement(install):
    install("needs_missing")
    entry = registry.get("needy")
    assert entry.status == "needs a-distribution-nobody-has>=2"
    with pytest.raises(PluginError) as caught:
        registry.load(entry)
    assert str(caught.value) == (
        "The solver 'needy' of plugin 'needs-missing' (fixture-needs-missing) needs "
        "a-distribution-nobody-has>=2, which is not installed."
    )
    assert registry.get("needy").status == entry.status


@pytest.mark.parametrize(
    ("requirement", "status"),
    [
        ("numpy", "ok"),
        ("NumPy>=1", "ok"),
        ("numpy>=1000", "needs numpy>=1000"),
        ("nobody-has-this; python_version < '3'", "ok"),
    ],
)
def test_requirements_have_versions_and_markers(write_plugin, requirement, status):
    write_plugin(
        "needs",
        f"""
@hookimpl
def skrand_entries():
    yield Entry(
        kind="solver", name="x", target="x:X", task="least-squares", summary="X",
        requires=[{requirement!r}],
    )
""",
    )
    assert registry.get("x").status == status


def test_a_slow_plugin_is_timed(install):
    install("slow_import", "good")
    assert record("slow-import").load_time > 0.25
    assert record("good").load_time < 0.25


def test_a_task_that_nobody_declares(install):
    install("unknown_task")
    with pytest.warns(PluginWarning, match="Did you mean 'least-squares'"):
        entry = registry.get("lost")
    assert entry.status == "broken"
    assert entry.error == "There is no task 'least-square'. Did you mean 'least-squares'?"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "def skrand_entries(): return []",
            "fixture_written does not implement skrand_entries(): it defines it without the "
            "decorator @skrand.registry.hookimpl.",
        ),
        (
            "",
            "fixture_written does not implement skrand_entries(): it does not define it.",
        ),
        (
            "@hookimpl\ndef skrand_entries(): return 3",
            "skrand_entries() must return a list of Entry. Got 3 instead.",
        ),
        (
            "@hookimpl\ndef skrand_entries(): return [dict(name='x')]",
            "skrand_entries() must return a list of Entry. One item is {'name': 'x'}.",
        ),
        (
            "@hookimpl\ndef skrand_entries():\n    yield SOLVER\n    raise KeyError('late')",
            "KeyError: 'late'",
        ),
        (
            "@hookimpl\ndef skrand_entries(): return [SOLVER, SOLVER]",
            "The solver 'x' is declared twice.",
        ),
        (
            "import dataclasses\n@hookimpl\ndef skrand_entries():\n"
            "    return [dataclasses.replace(SOLVER, default=True)]",
            "Solver 'x' cannot be the default of task 'least-squares': only the plugin that "
            "declares a task chooses its default solver.",
        ),
        (
            "import skrand.registry\n@hookimpl\ndef skrand_entries():\n"
            "    return skrand.registry.entries()",
            "PluginError: The registry was asked for an entry while it was being loaded. A "
            "plugin's module that declares entries must not look any up.",
        ),
    ],
)
def test_a_list_is_taken_whole_or_not_at_all(write_plugin, code, error):
    solver = (
        "SOLVER = Entry(kind='solver', name='x', target='x:X', task='least-squares', summary='X')\n"
    )
    write_plugin("written", solver + code)
    with pytest.warns(PluginWarning):
        assert solvers() == CORE
    assert record("written").error == error


def test_the_hook_with_an_argument_is_refused(write_plugin):
    write_plugin("written", "@hookimpl\ndef skrand_entries(surplus): return []")
    with pytest.warns(PluginWarning):
        assert "PluginValidationError" in record("written").error


def test_keyboard_interrupt_is_not_swallowed(write_plugin, monkeypatch):
    write_plugin("written", "import os\nif os.environ.get('INTERRUPT'): raise KeyboardInterrupt")
    monkeypatch.setenv("INTERRUPT", "1")
    with pytest.raises(KeyboardInterrupt):
        registry.entries()
    monkeypatch.delenv("INTERRUPT")
    with pytest.warns(PluginWarning, match="does not implement"):
        assert solvers() == CORE


EMPTY = "@hookimpl\ndef skrand_entries(): return []"


def test_an_entry_point_seen_twice_counts_once(write_plugin):
    write_plugin("written", EMPTY, folder="first", version="1.0")
    write_plugin("Written", EMPTY, folder="second", version="2.0")
    assert record("Written").version == "2.0"
    assert [plugin.dist for plugin in registry.plugins()].count("written") == 1


def test_one_entry_point_name_in_two_distributions(write_plugin):
    write_plugin("one", EMPTY, entry_points="[skrand]\nmain = fixture_one\n", folder="first")
    write_plugin("two", EMPTY, entry_points="[skrand]\nmain = fixture_two\n", folder="second")
    assert [plugin.dist for plugin in registry.plugins() if plugin.name == "main"] == ["one", "two"]


def test_two_entry_points_of_one_distribution_do_not_share_a_name(write_plugin):
    code = """
@hookimpl
def skrand_entries():
    yield Entry(kind="solver", name="x", target="x:X", task="least-squares", summary="X")
"""
    points = "[skrand]\na = fixture_written\nb = fixture_written:twice\n"
    write_plugin("written", code + "class twice:\n    skrand_entries = skrand_entries\n", points)
    with pytest.warns(PluginWarning, match="Another entry point of written declares the solver"):
        assert record("a").status == "ok"
    assert record("b").status == "broken"


@pytest.mark.parametrize("text", ["[skrand]\nno equals sign\n", "[other]\n=\n[", "\x00"])
def test_damaged_metadata_of_a_stranger(write_plugin, text):
    write_plugin("written", EMPTY, entry_points=text)
    assert solvers() == CORE


def test_metadata_without_a_name_or_a_version(write_plugin, tmp_path):
    write_plugin("written", EMPTY)
    (metadata,) = tmp_path.rglob("METADATA")
    metadata.write_text("Metadata-Version: 2.1\nName: written\n")
    registry.reload()
    assert record("written").version == ""
    metadata.write_text("Metadata-Version: 2.1\n")
    registry.reload()
    assert solvers() == CORE
    assert "written" not in {plugin.name for plugin in registry.plugins()}


@pytest.mark.parametrize(
    ("setting", "disabled"),
    [
        (None, set()),
        ("", {"good", "twin-a"}),
        ("good", {"twin-a"}),
        ("fixture-good", {"twin-a"}),
        ("Fixture_Good , twin-a", set()),
        ("-good", {"good"}),
        ("-fixture-good,-twin-a", {"good", "twin-a"}),
        ("good,-good", {"good", "twin-a"}),
    ],
)
def test_the_environment_chooses_plugins(install, monkeypatch, setting, disabled):
    install("good", "twin_a")
    monkeypatch.delenv("SKRAND_PLUGINS")
    if setting is not None:
        monkeypatch.setenv("SKRAND_PLUGINS", setting)
    registry.reload()
    assert {
        plugin.name
        for plugin in registry.plugins()
        if plugin.status == "disabled" and plugin.dist.startswith("fixture")
    } == disabled
    for plugin in registry.plugins():
        assert (plugin.status == "disabled") <= (plugin.entries == ())
    assert record("core").status == "ok"


def test_the_environment_names_what_is_not_there(install, monkeypatch):
    install("good")
    monkeypatch.setenv("SKRAND_PLUGINS", "god,-core")
    with pytest.warns(PluginWarning) as warned:
        registry.entries()
    assert [str(one.message).removesuffix(" `skrand plugins` shows more.") for one in warned] == [
        "SKRAND_PLUGINS names 'god', which is not an installed plugin. Did you mean 'good'?",
        "SKRAND_PLUGINS disables skrand's core, which is always there.",
    ]


def test_plugins_are_loaded_once_by_many_threads(install):
    install("slow_import")
    seen, barrier = [], threading.Barrier(8)

    def look():
        barrier.wait()
        seen.append((registry.plugins(), registry.load(registry.get("sap"))))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = {records[-1].load_time for records, _ in seen}
    assert len(seen) == 8
    assert len(times) == 1
    assert len({cls for _, cls in seen}) == 1


def test_a_source_tree_that_is_not_installed_has_its_core(tmp_path):
    """Without any dist-info there is no entry point, and the core enters all the same."""
    source = Path(registry.__file__).parents[1]
    (tmp_path / "skrand").symlink_to(source, target_is_directory=True)
    import packaging
    import pluggy

    for module in (packaging, pluggy):
        folder = Path(module.__file__).parent
        (tmp_path / folder.name).symlink_to(folder, target_is_directory=True)
    query = "kind='solver', task='least-squares'"
    code = f"from skrand import registry; print(*[e.name for e in registry.entries({query})])"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    env.pop("SKRAND_PLUGINS", None)
    # -S: no site-packages.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == CORE

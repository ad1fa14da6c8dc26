"""Workers prepare, take turns, and whatever goes wrong in one of them is its own result."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import crew as crew_module
import pytest
from configurations import Configuration
from crew import Crew, Pace, Process, start_worker
from rows import Case
from tasks import Inference

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

FAKE = f"""
import sys, time
sys.path.insert(0, {str(BENCHMARKS)!r})
import numpy as np
from engines.program import NotOffered, Program
from worker import serve

class Engine:
    def describe(self):
        return {{"fake": "1.0"}}

    def prepare(self, task, options, folder):
        behaviour = options["behaviour"]
        if behaviour == "cannot":
            raise NotOffered("does no inference")
        if behaviour == "fails":
            raise ValueError("wrong shape\\nand more")
        calls = []
        def run():
            calls.append(1)
            with open(folder / "log", "a") as log:
                log.write(behaviour + "\\n")
            if behaviour == "dies" and len(calls) > 3:
                print("out of luck", file=sys.stderr, flush=True)
                sys.exit(3)
            time.sleep({{"hangs": 60, "slow": 0.2}}.get(behaviour, 0.01))
        count = task.parameters() + (behaviour == "wider")
        result = np.full(4, 1.1 if behaviour == "differs" else -1.0)
        return Program(run, count, lambda: [result])

serve(Engine(), sys.stdin, sys.stdout)
"""

CASE = Case("batch 1", Inference("lecture", 1), ("a", "b"), scale=2.0)


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Measure the case with fake engines; ``measure("steady", "slow")`` has one that is slow."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE, encoding="utf-8")
    crews = []

    def measure(*behaviours: str, pace: Pace, between=lambda: None):
        configurations = {name: Configuration("fake", options={"behaviour": name}) for name in behaviours}
        monkeypatch.setattr(crew_module, "CONFIGURATIONS", configurations)
        crew = Crew(
            Path("no"), tmp_path, pace, lambda crew, _: Process([sys.executable, str(script)], {}, crew.pace.limit)
        )
        crews.append(crew)
        return crew.measure(CASE, behaviours, between)

    measure.again = lambda *behaviours: crews[-1].measure(CASE, behaviours, lambda: None)
    yield measure
    for crew in crews:
        crew.dismiss()


QUICK = Pace(turns=3, least=0.0, limit=30.0)


def test_turns_are_taken_one_by_one_and_the_order_rotates(measure, tmp_path):
    rounds = []
    found = measure("steady", "other", pace=QUICK, between=lambda: rounds.append(1))
    assert len(rounds) == 3
    ran = (tmp_path / "log").read_text(encoding="utf-8").split()
    assert ran[:4] == ["steady", "steady", "other", "other"]  # warm-up
    assert ran[4:] == ["steady", "other", "other", "steady", "steady", "other"]
    for measured in found.values():
        assert measured.problem is None
        assert len(measured.seconds) == 3
        assert 0.01 <= measured.median / CASE.scale < 5
        assert measured.speed == pytest.approx(CASE.task.operations() / (measured.median / 2))
        assert measured.peak_memory > 2**20
        assert measured.details["fake"] == "1.0"
        assert measured.details["checks"] == [1.0]


def test_short_calls_are_repeated_and_slow_ones_get_fewer_turns(measure, tmp_path):
    pace = Pace(turns=3, least=0.05, patience=0.3, limit=30.0)
    found = measure("steady", "slow", pace=pace)
    assert len(found["steady"].seconds) == 3
    assert len(found["slow"].seconds) == 1
    calls = (tmp_path / "log").read_text(encoding="utf-8").split().count("steady")
    assert calls > 2 + 3 * 3
    assert found["steady"].median / CASE.scale < 0.05


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ("cannot", "does no inference"),
        ("fails", "ValueError: wrong shape"),
        ("dies", "its process ended with 3: out of luck"),
        ("wider", "it builds another network: 104203 parameters instead of 104202"),
        ("differs", "it computes something else: [1.1] instead of [1.0]"),
    ],
)
def test_what_goes_wrong_is_told_and_the_others_go_on(measure, behaviour, problem):
    found = measure("steady", behaviour, pace=QUICK)
    assert found[behaviour].problem == problem
    assert len(found["steady"].seconds) == 3
    assert found["steady"].problem is None


def test_whoever_fell_begins_the_next_case_anew(measure):
    assert measure("dies", pace=QUICK)["dies"].seconds
    again = measure.again("dies")["dies"]
    assert again.problem == "its process ended with 3: out of luck"
    assert again.seconds


def test_no_answer_in_time_ends_the_process(measure):
    began = time.perf_counter()
    found = measure("hangs", pace=Pace(turns=1, least=0.0, limit=1.5))
    assert found["hangs"].problem == "no answer in 2 s"
    assert time.perf_counter() - began < 20


def test_a_missing_environment_and_a_missing_package_are_named(tmp_path):
    absent = start_worker(Crew(tmp_path / "python", tmp_path, QUICK), Configuration("of_torch"))
    assert absent.hello == {"problem": f"missing: there is no {tmp_path / 'python'} (make bench-peers)"}
    assert absent.ask({"do": "run"}) == absent.hello
    process = start_worker(Crew(Path(sys.executable), tmp_path, QUICK), Configuration("of_nothing"))
    problem = process.hello["problem"]
    process.end()
    assert problem == "not installed: No module named 'engines.of_nothing'"


def test_settings_of_the_shell_do_not_reach_the_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--no-such-flag")
    monkeypatch.setenv("CONVISTA_KERNELS", "xla")
    seen = {}
    monkeypatch.setattr(crew_module, "Process", lambda command, environment, limit: seen.update(environment))
    start_worker(Crew(Path(sys.executable), tmp_path, QUICK), Configuration("of_convista", {"MALLOC_TOP_PAD_": "1"}))
    assert "XLA_FLAGS" not in seen
    assert "CONVISTA_KERNELS" not in seen
    assert seen["MALLOC_TOP_PAD_"] == "1"

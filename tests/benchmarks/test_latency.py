"""The benchmark of latency on tiny networks: turns, memory, resuming, failures. No speed is asserted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.harness.environment import machine, today, versions
from benchmarks.harness.isolated import IsolatedError
from benchmarks.latency import __main__ as latency
from benchmarks.latency import measurement, sweep, timing, workload
from benchmarks.latency.candidates import CANDIDATES, OTHERS, choose
from benchmarks.latency.functional_fullgrad import FunctionalFullGrad
from benchmarks.latency.measurement import measure
from benchmarks.latency.memory import memory_of
from benchmarks.latency.operators import KINDS, profile
from benchmarks.latency.preparation import prepare_all, prepare_apart
from benchmarks.latency.records import PACKAGES, Record, append_record, find_record, read_records
from benchmarks.latency.rivals import RIVALS
from benchmarks.latency.runtimes import RUNTIMES, export_onnx
from benchmarks.latency.timing import FEWEST_ROUNDS, Effort, Timing, time_alternately
from benchmarks.latency.workload import Call, Workload
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from tests.support.networks import ConvNet, randomised
from tests.support.sweeps import few

QUICK = Effort(repeats=2, seconds=0.1)


@pytest.fixture
def tiny(tmp_path: Path) -> Workload:
    """A small network in place of the one that the workload names, ten classes, images of 16×16."""
    torch.save(randomised(ConvNet(classes=10)), tmp_path / "network.pt")
    return Workload("unet", batch=2, threads=1, folder=tmp_path, size=16)


def test_candidates_take_turns_and_slow_ones_sit_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    calls = {name: partial(called.append, name) for name in ("fast", "slow")}
    seconds = {calls["fast"]: 0.01, calls["slow"]: 2.0}
    monkeypatch.setattr(timing, "_warm_up", lambda call, synchronize: seconds[call])
    timings = time_alternately(calls, Effort(repeats=20, seconds=10), lambda: None)
    assert [len(timings[name].wall) for name in calls] == [20, 5]
    assert [called[i : i + 5] for i in range(0, 25, 5)] == [["fast"] * 4 + ["slow"]] * 5


def test_effort_is_bounded_by_time_but_for_the_fewest_rounds() -> None:
    effort = Effort(repeats=30, seconds=10)
    assert [effort.rounds(seconds) for seconds in (0.01, 1, 60)] == [30, 10, FEWEST_ROUNDS]
    assert Effort(repeats=2).rounds(60) == 2


def test_timing_summarises_latencies() -> None:
    summary = Timing(tuple(float(i) for i in range(1, 102)), (1.0, 3.0, 2.0))
    assert (summary.median, summary.cpu_median, summary.percentile(95)) == (51.0, 2.0, 96.0)
    assert summary.spread == pytest.approx(50 / 51)


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process(tiny: Workload) -> None:
    tiny.network()
    found = memory_of(replace(tiny, size=512), "eager.forward")
    assert found["loaded_megabytes"] > 50
    assert 2 < found["call_megabytes"] < 500  # 2 images, 8 channels of 256², float32: 4 MB


@pytest.mark.slow
def test_files_are_prepared_in_a_fresh_process(tiny: Workload) -> None:
    prepare_apart(tiny, "gradient")  # has nothing to prepare
    prepare_apart(tiny, "onnxruntime.forward")
    (written,) = tiny.folder.glob("*.onnx")
    before = written.stat().st_mtime_ns
    assert export_onnx(tiny) == written
    assert written.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name",
    few((name for name in OTHERS if name != "compiled"), 3),  # that one calls a C++ compiler
)
def test_rivals_run_on_a_small_network(tiny: Workload, name: str) -> None:
    if (missing := OTHERS[name].missing("cpu")) is not None:
        pytest.skip(f"needs the packages of the benchmarks: {missing}")
    figures = measure(tiny, ["onnxruntime.forward", name], QUICK, memory=False)
    assert "failed" not in figures[name]
    assert len(figures[name]["wall"]) == len(figures[name]["cpu"]) == 2
    assert "WRONG" not in figures[name].get("note", "")


def test_functional_form_is_the_full_gradient(tiny: Workload) -> None:
    x, target = tiny.inputs(), tiny.target()
    expected = fullgrad_reference(tiny.network(), x, target)
    logits, saliency = FunctionalFullGrad(tiny.network(), x, target)(x, target)
    torch.testing.assert_close(logits, expected.logits)
    torch.testing.assert_close(saliency, expected.saliency)


def test_what_fails_is_on_record_and_disturbs_nothing(tiny: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(workload: Workload) -> Call:
        raise RuntimeError("no Transformers | please\nsee the manual")

    broken = replace(RIVALS["hooks"], key="broken", load=fail)
    absent = replace(RIVALS["hooks"], key="absent", packages=(("rival", "no_such_module"),))
    unknown = replace(CANDIDATES["onnxruntime.fused"], key="unknown", format="no such format")
    slow = replace(RIVALS["gradient"], key="slow")
    for candidate in (broken, absent, unknown, slow):
        monkeypatch.setitem(CANDIDATES, candidate.key, candidate)
    keys = ["eager.forward", "broken", "absent", "unknown"]
    figures = measure(tiny, keys, QUICK, memory=False)
    assert len(figures["eager.forward"]["wall"]) == 2
    assert figures["broken"] == {"failed": "RuntimeError: no Transformers | please"}
    assert figures["absent"] == {"skipped": "not installed: rival"}
    assert figures["unknown"] == {"skipped": "this version of fgcompile has no format 'no such format'"}
    once = measure(tiny, ["slow"], replace(QUICK, longest=0.0), memory=False)["slow"]
    assert (len(once["wall"]), once["note"]) == (1, "called once, with no warm-up")
    assert CANDIDATES["openvino.forward"].missing("cuda") in ("not measured on cuda", "not installed: openvino")


def test_choice_keeps_the_order_and_brings_the_eager_forward() -> None:
    assert choose(["onnxruntime"], []) == ["onnxruntime.forward", "onnxruntime.fused"]
    assert choose([], ["hooks", "gradient"]) == ["eager.forward", "gradient", "hooks"]


def test_choice_leaves_out_what_is_not_for_the_device() -> None:
    assert choose(["onnxruntime-graph", "openvino"], ["onnx-ad"], "cuda") == [
        "onnxruntime-graph.forward",
        "onnxruntime-graph.fused",
        "eager.forward",
    ]
    assert choose(["torchscript-graph"], []) == []


def test_workloads_are_prepared_once_and_side_by_side(tiny: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []

    def prepare_apart(workload: Workload, candidate: str) -> None:
        asked.append((workload.batch, candidate))
        if candidate == "onnx-ad":
            raise IsolatedError("it cannot")

    monkeypatch.setattr("benchmarks.latency.preparation.prepare_apart", prepare_apart)
    keys = [*choose(["onnxruntime"], ["onnx-ad"]), "onnxruntime-graph.fused"]
    prepare_all([tiny, replace(tiny, batch=3)], keys, 2)
    assert len(asked) == len(set(asked)) == 2 * 4  # forward, fused in one of two ways, eager forward, onnx-ad


def test_half_precision_is_of_the_plain_network_and_within_the_artifact(tiny: Workload) -> None:
    half = replace(tiny, precision="float16")
    assert {half.inputs().dtype, next(half.network().parameters()).dtype} == {torch.float16}
    logits, _ = RUNTIMES["torchscript"][1].load(half)().values()  # type: ignore[attr-defined]
    expected = half.single().network()(half.single().inputs()).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-2 * np.abs(expected).max())
    assert (tiny.folder / "fused-float16.pt").exists()


def test_records_are_kept_by_subject_and_found_in_their_environment(tmp_path: Path) -> None:
    store = tmp_path / "new" / "records.jsonl"
    for wall in (1.0, 2.0):
        append_record(store, {"model": "a"}, {"x": {"wall": [wall], "cpu": [wall]}})
    (record,) = read_records(store)
    other = replace(record, subject={"model": "b"}, versions="of another day")
    with store.open("a") as file:
        file.write(json.dumps(asdict(other)) + "\n")
    assert [record.subject["model"] for record in read_records(store)] == ["a", "b"]
    assert find_record(store, {"model": "a"}) == record
    assert record.figures["x"]["wall"] == [2.0]
    assert (record.machine, record.versions, record.date) == (machine(), versions(PACKAGES), today())
    assert find_record(store, {"model": "b"}) is None
    assert read_records(tmp_path / "none.jsonl") == []


def test_what_could_not_run_is_tried_again_once_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"eager.forward": {"wall": [1.0]}, "hooks": {"skipped": "not installed: it"}}
    record = Record({}, figures, "a machine", "torch 2", "2026-01-02")
    assert not sweep.is_measured(None, ["eager.forward"], "cpu")
    assert sweep.is_measured(record, ["eager.forward"], "cpu")
    assert not sweep.is_measured(record, ["eager.forward", "gradient"], "cpu")
    assert not sweep.is_measured(record, ["hooks"], "cpu")
    absent = replace(CANDIDATES["hooks"], packages=(("it", "no_such_module"),))
    monkeypatch.setitem(CANDIDATES, "hooks", absent)
    assert sweep.is_measured(record, ["hooks"], "cpu")


def test_more_candidates_are_measured_together_with_those_on_record(tiny: Workload) -> None:
    store = tiny.folder / "records.jsonl"
    for keys in (["eager.forward"], ["gradient"], ["eager.forward"]):
        sweep.keep_measured(store, tiny, keys, QUICK, memory=False, report=lambda step: None)
    lines = [json.loads(line) for line in store.read_text().splitlines()]
    assert [list(line["figures"]) for line in lines] == [["eager.forward"], ["eager.forward", "gradient"]]


def test_command_measures_reports_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--models", "unet", "--size", "16", "--repeats", "2", "--seconds", "0.1", "--results", str(tmp_path)]
    monkeypatch.setattr(measurement, "memory_of", lambda work, key: {"loaded_megabytes": 100.4, "call_megabytes": 7.2})
    monkeypatch.setattr(measurement, "prepare_apart", lambda work, key: None)  # which has another network
    monkeypatch.setattr(workload, "build_network", lambda name: randomised(ConvNet(classes=10)))
    assert latency.main([*arguments, "--runtimes", "onnxruntime", "--rivals", "gradient"]) == 0
    store = tmp_path / "latency.jsonl"
    line = json.loads(store.read_text())
    assert line["subject"] == {
        "model": "unet",
        "batch": 1,
        "threads": 1,
        "device": "cpu",
        "size": 16,
        "precision": "float32",
    }
    keys = ["onnxruntime.forward", "onnxruntime.fused", "eager.forward", "gradient"]
    assert list(line["figures"]) == keys
    assert all(len(line["figures"][key]["wall"]) == 2 for key in keys)
    report = (tmp_path / "latency.md").read_text()
    assert "| unet | ONNX Runtime | fused artifact |" in report
    assert (tmp_path / "latency.png").exists()

    assert latency.main([*arguments, "--runtimes", "onnxruntime", "--no-rivals"]) == 0
    assert latency.main([*arguments, "--report-only"]) == 0
    assert len(store.read_text().splitlines()) == 1, "measured again"


def test_a_profile_has_the_nodes_of_the_graph_by_kinds_that_do_not_overlap(tiny: Workload) -> None:
    operators = [operator for kind in KINDS.values() for operator in kind]
    assert len(set(operators)) == len(operators)
    found = profile(export_onnx(tiny), tiny)
    nodes, total, in_all, *shares = found.cells(unit=2.0)
    assert {"Conv", "Gemm"} <= found.times.keys() <= {*operators}
    assert int(nodes) >= len(found.times)
    assert float(total) == pytest.approx(sum(found.times.values()), abs=0.05)
    assert float(in_all) == pytest.approx(sum(map(float, shares)), abs=0.005 * (len(shares) + 1))
    assert len(shares) == len(KINDS) + 1

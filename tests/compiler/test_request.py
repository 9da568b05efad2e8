"""What is asked for is checked before any work is done, and what was given may change afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest
import torch

import fgcompile
from fgcompile.artifact.metadata import dumps
from fgcompile.compiler.examples import as_inputs
from fgcompile.compiler.request import OUTPUTS, Noise, Preprocess, Request
from fgcompile.errors import InputError

WRONG: dict[str, list[Any]] = {
    "outputs": [None, 3, "logits", [], ["logits", None], ["logits", ["saliency"]]],
    "target": [2.0, True, [1], np.array([1, 2]), torch.tensor(1)],
    "targets": [0, -1, 2.0, True, "3", [3]],
    "batch": [0, -1, 2.0, True, "1", "dynamic", [1]],
    "output": [1.5, True, ["a"], np.array([0, 1])],
    "score_inputs": [None, 3, [("q", torch.ones(1))], {3: torch.ones(1)}, {"q": np.ones(1)}, {"q": torch.tensor(1.0)}],
    "noise": [
        *[3, {"samples": 2}, Noise(samples=0), Noise(samples=2.5), Noise(samples=True)],  # type: ignore[arg-type]
        *[Noise(spread=-1), Noise(spread=float("nan")), Noise(seed=1.5), Noise(seed=2**70)],  # type: ignore[arg-type]
    ],
    "layouts": [None, 3, "x=n c", [("x", "n c")], {"x": None}, {3: "n c"}],
    "preprocess": [
        *[3, (0.5, 0.5), {"mean": (0.5,), "std": (1.0,)}, Preprocess(None, 1.0)],  # type: ignore[arg-type]
        *[Preprocess((0.5,), (0.0,)), Preprocess((float("nan"),), (1.0,)), Preprocess((0.5,), (float("inf"),))],
        Preprocess(("a",), (1.0,)),  # type: ignore[arg-type]
        *[Preprocess((0.5,), (1.0,), scale=(1, 0)), Preprocess((0.5,), (1.0,), scale=255)],  # type: ignore[arg-type]
        *[Preprocess((0.5,), (1.0,), order="bgr"), Preprocess((0.5,), (1.0,), order="grb")],  # type: ignore[arg-type]
        Preprocess((0.5,), (1.0,), fit="crop"),  # type: ignore[arg-type]
    ],
    "dynamic_sizes": [None, 1, "False", np.array([True, False])],
    "on_demand": [None, 0, "False", []],
    "external_data": [None, 1, "model.onnx.data"],
    "tokenizer": [3, {}, b"tokenizer.json", "no/such.json", ["tokenizer.json"]],
    "labels": [3, "abc", {"a", "b"}, {1: "a", 2: "b"}, [1, 2], ["a", None], [b"a"], ["a\nb"], ["a\x1b[2J"]],
} | {
    name: [None, 3, ["onnx"], {}, "ONNX", np.str_("other"), np.array(["a", "b"])]
    for name in ("format", "method", "psi", "rules", "terms", "biases", "precision", "device")
}


@pytest.mark.parametrize("name", [each.name for each in fields(Request)])
def test_what_an_option_cannot_be_is_refused_in_one_line_that_names_it(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(InputError) as raised:
            Request(**({"method": "smooth_fullgrad"} if name == "noise" else {}), **{name: value})
        assert "\n" not in str(raised.value)
        assert name.replace("score_inputs", "score").lower() in str(raised.value).lower()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score_inputs": {"query": torch.ones(1, 3)}}, "score_inputs has 'query', and the target is None"),
        ({"noise": Noise()}, "the method is fullgrad"),
        ({"outputs": ("logits",), "on_demand": True}, "something of the explanation"),
        ({"precision": "bfloat16"}, "takes no bfloat16"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Request(**options)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        (Preprocess((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)), r"mean has 123\.7, .* scale=\(0, 255\), --scale 0,255"),
        (Preprocess((0.0,) * 3, (255.0,) * 3), r"std has 255, .* scale=\(0, 255\)"),
        (Preprocess((127.5,), (0.5,), scale=(-1, 1)), r"mean has 127\.5, and black and white are -1 and 1"),
        (Preprocess((-600.0,), (1.0,)), "of one colour: give the scale that mean and std are numbers of$"),
        (Preprocess((0.5,) * 3, (0.2, -0.1, 0.2)), r"std has -0\.1, and a standard deviation is positive"),
    ],
)
def test_means_of_another_scale_are_refused(preprocess: Preprocess, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Request(preprocess=preprocess)


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), scale=(0, 255)),
        Preprocess((0.0,), (1.0,), scale=(0, 255)),
        Preprocess((1.2,), (0.001,)),
        Preprocess((-0.5,), (3.0,)),
        Preprocess((0.0,), (1.0,), scale=(-1, 1)),
    ],
)
def test_means_near_their_scale_are_taken(preprocess: Preprocess) -> None:
    assert Request(preprocess=preprocess).preprocess is not None


def test_a_class_is_named_by_its_label() -> None:
    for target in ("circle", "Circle", "cir", "1"):
        assert Request(target=target, labels=("square", "circle")).target == 1
    assert Request(target="circle").target == "circle"  # until it is known whether the source has labels
    for labels, message in (
        (("square", "circles 1", "circles 2"), "is the name of several classes: give a number, of 1 'circles 1', 2 "),
        (("circle",) * 2, "is the name of several classes: give a number, of 0 'circle', 1 'circle'"),
        (("square", "circel"), "is no class of the model: perhaps 'circel'"),
    ):
        with pytest.raises(InputError, match=f"target 'circle' {message}"):
            Request(target="circle", labels=labels)


def test_a_class_whose_name_is_the_number_of_another_is_refused_by_that() -> None:
    assert Request(target="1", labels=("0", "1")).target == 1
    assert Request(target="3", labels=("10", "2", "1", "0")).target == 3  # which nobody is called
    for target in ("2", "10"):
        with pytest.raises(InputError, match=f"target '{target}' is a number, and class . is called so: give an int"):
            Request(target=target, labels=("10", "2", "1", "0"))
    assert Request(target="circle", labels=("Circle", "circle")).target == 1
    with pytest.raises(InputError, match="no class of the model"):
        Request(target="\u0661", labels=("square", "circle"))  # Arabic's 1, no number of ours


def test_labels_may_be_a_mapping_from_the_classes() -> None:
    names = ("cat", "dog", "owl")
    assert Request(labels={2: "owl", 0: "cat", 1: "dog"}).labels == names
    assert Request(labels={"0": "cat", "1": "dog", "2": "owl"}).labels == names  # as JSON has them


def test_iterators_are_read_once() -> None:
    request = Request(outputs=iter(OUTPUTS), labels=iter("ab"), on_demand=True)  # type: ignore[arg-type]
    assert request.outputs == OUTPUTS
    assert request.labels == ("a", "b")
    inputs = iter([torch.ones(1)])
    assert len(as_inputs(inputs)) == 1  # type: ignore[arg-type]


def test_numbers_and_texts_of_numpy_are_kept_as_those_of_python() -> None:
    request = Request(
        target=np.int64(2),  # type: ignore[arg-type]
        output=np.int32(0),  # type: ignore[arg-type]
        format=np.str_("onnx"),  # type: ignore[arg-type]
        outputs=np.array(["saliency", "logits"]),  # type: ignore[arg-type]
        method="smooth_fullgrad",
        noise=Noise(np.int64(2), np.float32(0.5), np.uint8(1)),  # type: ignore[arg-type]
        preprocess=Preprocess(np.array([0.5], np.float32), torch.tensor([2.0])),  # type: ignore[arg-type]
        on_demand=np.bool_(True),  # type: ignore[arg-type]
        labels=np.array(["a", "b"]),  # type: ignore[arg-type]
    )
    assert request.outputs == ("logits", "saliency")
    assert request.preprocess == Preprocess((0.5,), (2.0,))
    for one in (0.5, np.float32(0.5), torch.tensor(0.5)):
        assert Request(preprocess=Preprocess(one, 2)).preprocess == Preprocess(0.5, 2.0)  # type: ignore[arg-type]
    assert request.noise is not None
    kept = [request.target, request.output, request.format, *request.outputs, *vars(request.noise).values()]
    kept += [request.on_demand, *(request.labels or ())]
    assert {type(value) for value in kept} <= {int, str, float, bool}
    dumps({"kept": kept})


def test_what_was_given_may_change_afterwards() -> None:
    layouts, labels, score_inputs = {"x": "n c"}, ["a"], {"query": torch.ones(1, 3)}
    request = Request(layouts=layouts, labels=labels, score_inputs=score_inputs, target=lambda y, query: y)
    layouts["y"], labels[0] = "n", "b"
    score_inputs.clear()
    assert (dict(request.layouts), request.labels, list(request.score_inputs)) == ({"x": "n c"}, ("a",), ["query"])
    for change in (lambda: request.layouts.update(x="none"), lambda: setattr(request, "psi", "signed")):  # type: ignore[attr-defined]
        with pytest.raises((AttributeError, FrozenInstanceError)):
            change()


def test_a_copy_with_another_option_is_checked_too() -> None:
    with pytest.raises(InputError, match="psi is 'none'"):
        replace(Request(), psi="none")  # type: ignore[arg-type]
    assert replace(Request(), outputs=["saliency"]).outputs == ("saliency",)


@pytest.mark.parametrize("call", [fgcompile.compile, fgcompile.full_gradient, fgcompile.expose_biases])
@pytest.mark.parametrize("given", [None, 3, {"x": torch.ones(1)}, [np.array("a")], [torch.tensor(1.0)], ()])
def test_inputs_that_are_none_are_refused(call: Callable[..., Any], given: Any) -> None:
    with pytest.raises(InputError, match=r"example[_ ]input"):
        call(torch.nn.Identity().eval(), given)

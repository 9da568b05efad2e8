"""Sources and weights: what builds, and what is refused in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.export import ExportedProgram

from fgcompile.cli.source_names import install, read_name
from fgcompile.cli.sources import load_source
from fgcompile.errors import SourceError

MODELS = """
import torch
from torch import nn

def build(classes=2, activation="relu"):
    layers = {"relu": nn.ReLU, "gelu": nn.GELU}
    return nn.Sequential(nn.Conv2d(3, classes, 1), nn.BatchNorm2d(classes), layers[activation]())

def needs(classes):
    return build(classes)

def calls():
    return needs()

def looks_up():
    return build(activation="tanh")

def fails():
    raise RuntimeError("no disk\\nleft")

class Holder:
    @staticmethod
    def build():
        return build()

ready = build()
text = "not callable"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with a module of models in it."""
    (tmp_path / "sample_models.py").write_text(MODELS)
    (tmp_path / "broken_models.py").write_text("import nothing_of_this_name")
    (tmp_path / "misspelt_models.py").write_text("\n\ndef build(:\n")
    (tmp_path / "seeing_models.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    (tmp_path / "blind_models.py").write_text("raise ModuleNotFoundError('No torchvision', name='torchvision.ops')")
    (tmp_path / "raising_models.py").write_text("import os\nos.environ['HOME_OF_MODELS']")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("sample_models", "broken_models"):
        sys.modules.pop(name, None)


def test_callable_in_the_current_directory_is_built_in_eval_mode(folder: Path) -> None:
    model = load_source("sample_models:build")
    assert isinstance(model, nn.Sequential)
    assert not model.training
    assert not model[1].training


def test_arguments_are_literals_or_words(folder: Path) -> None:
    model = load_source("sample_models:build?classes=5&activation=gelu")
    assert isinstance(model, nn.Sequential)
    assert model[0].out_channels == 5
    assert isinstance(model[2], nn.GELU)


@pytest.mark.parametrize("source", ["sample_models:ready", "sample_models:Holder.build"])
def test_modules_and_attributes_of_attributes_are_sources(folder: Path, source: str) -> None:
    assert isinstance(load_source(source), nn.Module)


def test_torchvision_architecture() -> None:
    model = load_source("torchvision:squeezenet1_1?num_classes=7")
    assert isinstance(model, nn.Module)
    assert not model.training
    assert model.classifier[1].out_channels == 7


def test_exported_program(tmp_path: Path) -> None:
    exported = torch.export.export(nn.Linear(3, 2).eval(), (torch.zeros(1, 3),))
    torch.export.save(exported, tmp_path / "model.pt2")
    assert isinstance(load_source(str(tmp_path / "model.pt2")), ExportedProgram)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("resnet", "cannot tell what model 'resnet' is"),
        ("weights.bin", "cannot tell what model 'weights.bin' is"),
        ("sample_models:", "cannot tell what model"),
        ("sample_models.py:build", "name its module, sample_models:build"),
        ("no_such_module:build", "cannot import no_such_module"),
        ("broken_models:build", "No module named 'nothing_of_this_name'"),
        ("sample_models:missing", "no callable named 'missing'"),
        ("sample_models:biuld", "no callable named 'biuld': perhaps build"),
        ("sample_models:Holder.bild", "perhaps build"),
        ("sample_models:text", "no callable named 'text'"),
        ("sample_models:fails", "sample_models:fails failed with RuntimeError: no disk"),
        ("sample_models:build?classes", "cannot read the argument 'classes'"),
        ("sample_models:build?size=3", "unexpected keyword argument 'size'"),
        ("sample_models:build?activation=tanh", "KeyError: 'tanh'"),
        ("sample_models:looks_up", "sample_models.py:7, or call it otherwise"),
        ("sample_models:needs", "argument: 'classes': give its arguments as sample_models:needs?key=value"),
        ("sample_models:calls", "sample_models.py:13, or call it otherwise"),
        ("raising_models:build", "cannot import raising_models (KeyError: 'HOME_OF_MODELS'): mend"),
        ("misspelt_models:build", "misspelt_models.py:3"),
        ("seeing_models:build", f"the installed torch: pip install torch=={version('torch')} torchvision"),
        ("blind_models:build", f"the installed torch: pip install torch=={version('torch')} torchvision"),
        ("missing.pth", "missing.pth: no such file"),
        ("builtins:dict", "returned a dict, not a torch.nn.Module"),
        ("torchvision:resnet9000", "torchvision:resnet9000 failed"),
        ("missing.pt2", "missing.pt2: no such file"),
        ("missing.onnx", "missing.onnx: no such file"),
    ],
)
def test_refused_sources_say_why_in_one_line(folder: Path, source: str, message: str) -> None:
    with pytest.raises(SourceError) as refusal:
        load_source(source)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["net.pth", "net.ckpt", "net.bin", "net.pt", "net.safetensors"])
def test_weights_are_no_source_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / name)
    with pytest.raises(SourceError, match=rf"weights without a model: give .* --weights .*{re.escape(name)}"):
        load_source(str(tmp_path / name))


def test_torchscript_may_be_called_pth(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(3, 2).eval(), torch.zeros(1, 3)), tmp_path / "net.pth")
    assert isinstance(load_source(str(tmp_path / "net.pth")), torch.jit.ScriptModule)


@pytest.mark.parametrize(
    ("installed", "command"),
    [
        ("2.13.0+cpu", "pip install torch==2.13.0+cpu torchvision --index-url https://download.pytorch.org/whl/cpu"),
        ("2.13.0", "pip install torch==2.13.0 torchvision"),
    ],
)
def test_torchvision_is_of_the_build_of_torch(installed: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgcompile.cli.source_names.version", lambda package: installed)
    assert install("torchvision") == command
    monkeypatch.setattr("fgcompile.cli.source_names.find_spec", lambda name: None)
    assert install("timm") == f"{command}, then pip install timm"


@pytest.mark.parametrize(
    ("name", "message"), [("model.pt2", "exported program"), ("model.onnx", "as an ONNX model")], ids=["pt2", "onnx"]
)
def test_damaged_program_files_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(SourceError, match=message):
        load_source(str(tmp_path / name))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_are_loaded(folder: Path, suffix: str) -> None:
    original = load_source("sample_models:build")
    assert isinstance(original, nn.Module)
    path = folder / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(original.state_dict(), path)
    else:
        save_file(original.state_dict(), path)
    loaded = load_source("sample_models:build", path)
    assert isinstance(loaded, nn.Module)
    for key, value in original.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_weights_that_do_not_fit_name_the_keys(folder: Path) -> None:
    state = load_source("sample_models:build").state_dict()
    del state["1.weight"]
    state["0.bias"] = torch.zeros(9)
    state["head.bias"] = torch.zeros(1)
    torch.save(state, "weights.pt")
    with pytest.raises(SourceError) as refusal:
        load_source("sample_models:build", Path("weights.pt"))
    message = str(refusal.value)
    assert "weights.pt does not fit Sequential" in message
    assert "1 missing: 1.weight" in message
    assert "1 unexpected: head.bias" in message
    assert "1 of another shape: 0.bias (file (9,), model (2,))" in message
    assert "\n" not in message


def test_many_keys_are_counted_and_not_all_listed(folder: Path) -> None:
    torch.save({f"key{i}": torch.zeros(1) for i in range(50)}, "weights.pt")
    with pytest.raises(SourceError, match="50 unexpected: key0, key1, key2, …"):
        load_source("sample_models:build", Path("weights.pt"))


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_unreadable_weights_are_refused(folder: Path, name: str) -> None:
    Path(name).write_bytes(b"no weights at all")
    with pytest.raises(SourceError, match=f"{name} cannot be read as weights alone"):
        load_source("sample_models:build", Path(name))
    with pytest.raises(SourceError, match="no such file"):
        load_source("sample_models:build", Path(f"other-{name}"))


def test_weights_that_would_run_code_are_refused(folder: Path) -> None:
    torch.save(nn.Linear(1, 1), "model.pt")  # a whole pickled module
    with pytest.raises(SourceError, match="save a state dict"):
        load_source("sample_models:build", Path("model.pt"))


def test_checkpoint_around_a_state_dict_is_refused(folder: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {}}, "checkpoint.pt")
    with pytest.raises(SourceError, match="holds a dict of epoch, state_dict, not a state dict"):
        load_source("sample_models:build", Path("checkpoint.pt"))


def test_program_files_take_no_weights(tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(b"")
    with pytest.raises(SourceError, match="carries its own weights"):
        load_source(str(tmp_path / "model.pt2"), tmp_path / "weights.pt")


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "r3d_18"])
def test_torchvision_has_more_than_classifiers_of_images(name: str) -> None:
    assert isinstance(load_source(f"torchvision:{name}?num_classes=3"), nn.Module)


def test_part_of_a_torchvision_model(folder: Path) -> None:
    backbone = load_source("torchvision:fasterrcnn_mobilenet_v3_large_fpn.backbone")
    assert type(backbone).__name__ == "BackboneWithFPN"
    with pytest.raises(SourceError, match="has no attribute `neck`"):
        load_source("torchvision:squeezenet1_1.neck")


def test_timm_architecture() -> None:
    pytest.importorskip("timm", reason="needs timm: pip install timm")
    model = load_source("timm:test_resnet?num_classes=7")
    assert isinstance(model, nn.Module)
    assert model.num_classes == 7


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A folder with the configuration of a tiny BERT, without weights."""
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    config.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["", "/config.json"], ids=["folder", "file"])
@pytest.mark.parametrize("class_name", ["AutoModelForSequenceClassification", "BertForSequenceClassification"])
def test_transformers_configuration_is_built_at_random(bert: Path, file: str, class_name: str) -> None:
    model = load_source(f"transformers:{bert}{file}?num_labels=7&class={class_name}")
    assert type(model).__name__ == "BertForSequenceClassification"
    assert not model.training
    assert model.classifier.out_features == 7
    assert (model.config._attn_implementation, model.config.use_cache) == ("sdpa", False)


def test_transformers_class_is_the_configuration_s_own(bert: Path) -> None:
    assert type(load_source(f"transformers:{bert}")).__name__ == "BertModel"
    load_source(f"transformers:{bert}?class=BertForTokenClassification").save_pretrained(bert)
    assert type(load_source(f"transformers:{bert}")).__name__ == "BertForTokenClassification"


def test_transformers_weights_are_loaded_or_refused(bert: Path) -> None:
    original = load_source(f"transformers:{bert}?class=BertForSequenceClassification")
    original.save_pretrained(bert)
    loaded = load_source(f"transformers:{bert}")
    assert torch.equal(loaded.classifier.weight, original.classifier.weight)
    for changes in ("num_labels=7", "class=BertForMultipleChoice"):
        with pytest.raises(SourceError, match="the weights do not fit") as refusal:
            load_source(f"transformers:{bert}?{changes}")
        assert "classifier.weight" in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "message"), [("colour=3", "bert has no setting colour"), ("class=Nothing", "Nothing")]
)
def test_transformers_arguments_are_checked(bert: Path, arguments: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as refusal:
        load_source(f"transformers:{bert}?{arguments}")
    assert "\n" not in str(refusal.value)


def test_transformers_takes_local_paths_only() -> None:
    with pytest.raises(SourceError, match="give a local path"):
        load_source("transformers:bert-base-uncased")


def test_a_configuration_alone_is_a_random_model_and_a_folder_with_weights_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in (tmp_path, tmp_path / "config.json"):
        assert read_name(f"transformers:{name}").is_random(None)
        assert not read_name(f"transformers:{name}").is_random(tmp_path / "weights.safetensors")
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")
    assert not read_name(f"transformers:{tmp_path}").is_random(None)
    assert read_name(f"transformers:{tmp_path / 'config.json'}").is_random(None)

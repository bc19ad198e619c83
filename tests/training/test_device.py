"""Devices, and what a run's card says of the machine."""

import os
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from inkdigits.errors import UsageError
from inkdigits.training.device import autocast, channels_last, hardware, select_device, versions

CPU = torch.device("cpu")


def test_auto_takes_the_first_device_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, best in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert select_device().type == best
        assert select_device("cpu") == CPU


def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UsageError, match="there is no device 'cuda' on this machine; choose from: mps, cpu"):
        select_device("cuda")


def test_kernels_lie_channels_last() -> None:
    model = channels_last(torch.nn.Conv2d(3, 4, 3), CPU)
    assert model.weight.is_contiguous(memory_format=torch.channels_last)


def test_the_card_names_processor_cores_and_threads() -> None:
    facts = hardware(CPU)
    assert set(facts) == {"processor", "cores", "threads", "device"}
    assert (facts["cores"], facts["threads"], facts["device"]) == (os.cpu_count(), torch.get_num_threads(), "cpu")
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and "model name" in cpuinfo.read_text():
        (line,) = {line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")}
        assert facts["processor"] == line.split(": ", 1)[1].strip()


def test_the_card_names_the_gpu_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    facts = hardware(torch.device("cuda"))
    assert facts["processor"] == f"A GPU, {hardware(CPU)['processor']}"
    assert facts["device"] == "cuda"


def test_the_card_names_the_versions_that_matter() -> None:
    facts = versions()
    assert set(facts) == {"inkdigits", "torch", "numpy", "python", "platform"}
    assert facts["torch"] == str(torch.__version__)
    assert facts["numpy"] == np.__version__
    assert (facts["python"], facts["platform"]) == (platform.python_version(), platform.platform())


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_on_the_cpu_have_the_precision_that_is_asked_for(precision: str, dtype: torch.dtype) -> None:
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype

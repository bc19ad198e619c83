"""Where the work runs, and what it ran on."""

import ctypes
import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from inkdigits.errors import UsageError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
KEEP_BYTES, MMAP_BYTES = 1 << 30, 32 << 20


def select_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    UsageError
        When there is no such device on this machine.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there.get(name, False):
        raise UsageError(
            f"there is no device {name!r} on this machine; choose from: {', '.join(d for d in there if there[d])}"
        )
    return torch.device(name)


def channels_last(model: nn.Module, device: torch.device | str) -> nn.Module:
    """Return the model on the device, kernels laid out with the channels last, as convolutions like it best."""
    return model.to(device).to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


@cache
def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next step instead of giving it back to the system.

    Asking for it anew costs a page fault for every 4 kB: up to a quarter of a training step on the CPU. Without glibc
    this does nothing.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)


def hardware(device: torch.device) -> dict[str, str | int]:
    """Return the processor's name, the cores and threads at hand, and the device."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    if device.type == "cuda":
        name = f"{torch.cuda.get_device_name(device)}, {name}"
    return {
        "processor": name,
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": device.type,
    }


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {
        "inkdigits": version("inkdigits"),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def lowered(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of a forward pass: bfloat16 on CUDA, and on the CPU where ``precision`` says so."""
    lower = device.type == "cuda" or (device.type == "cpu" and precision == "bfloat16")
    return torch.autocast(device.type, torch.bfloat16) if lower else nullcontext()

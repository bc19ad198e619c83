"""The device that a network runs on, and facts about the machine."""

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

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
TRIM_BYTES = 1 << 30  # free memory above this is returned to the system
MMAP_BYTES = 32 << 20  # blocks above this are mapped on their own, and returned when freed; glibc's largest value


def select_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is the first available one of CUDA, MPS and CPU.

    Raises
    ------
    UsageError
        When this machine has no such device.
    """
    available = [
        device
        for device, is_available in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if is_available
    ]
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise UsageError(f"there is no device {name!r} on this machine; choose from: {', '.join(available)}")
    return torch.device(name)


def channels_last(model: nn.Module, device: torch.device | str) -> nn.Module:
    """Return the model on the device, in the memory format "channels last", in which convolutions are faster."""
    return model.to(device).to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


@cache
def keep_freed_memory() -> None:
    """Make glibc keep the memory of freed tensors, so that the next step can use it again.

    By default, glibc returns large freed blocks to the system. To allocate them again costs a page fault per 4 kB, up
    to a quarter of a training step on the CPU. On a system without glibc, this function does nothing.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)


def hardware(device: torch.device) -> dict[str, str | int]:
    """Return the names of processor and device, and the numbers of cores and threads."""
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


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of a forward pass: bfloat16 on CUDA, and on the CPU if ``precision`` is ``bfloat16``."""
    bfloat16 = device.type == "cuda" or (device.type == "cpu" and precision == "bfloat16")
    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()

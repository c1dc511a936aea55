"""Resident memory of this process in MiB, on Linux, None elsewhere; and what PyTorch has taken of a CUDA device."""

import ctypes
import gc
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident():
    return _status("VmRSS")


def peak():
    """The most since the start, or since `forget_peak`."""
    return _status("VmHWM")


def forget_peak():
    """Gives free memory back, then lets the peak start anew from what is resident."""
    gc.collect()
    if STATUS.exists():
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def on_device():
    """What PyTorch has taken of the device so far: its allocator keeps what a step used."""
    import torch

    return torch.cuda.max_memory_reserved() / 2**20


def _status(field):
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024

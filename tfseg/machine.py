"""The machine that a benchmark runs on: what it is, and the memory of this process."""

import contextlib
import ctypes
import os
import platform
import resource

import keras
import tensorflow as tf

MIB = 2**20


def describe():
    """Processor, cores, accelerators and versions, as plain values."""
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": cores,
        "accelerators": gpus,
        "system": platform.platform(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    name = fields.get("model name", platform.machine())
    # Cloud machines hide the product's name; family and model still tell generations apart.
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def has_gpu():
    """Whether there is an accelerator."""
    return bool(tf.config.list_physical_devices("GPU"))


def reset_memory_peak():
    """Lets the next `memory_peak` count from now on, where the system can do so."""
    # Linux alone can reset it; elsewhere the peak is that since the process began.
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    if has_gpu():
        tf.config.experimental.reset_memory_stats("GPU:0")


def memory_peak():
    """{"peak_rss_mib", and with an accelerator "peak_gpu_mib"} since `reset_memory_peak`."""
    values = {"peak_rss_mib": round(_status("VmHWM") / MIB)}
    if has_gpu():
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        values["peak_gpu_mib"] = round(peak / MIB)
    return values


def memory_in_use():
    """{"host": bytes, "gpu": bytes} in use: allocated, not freed; what can't be told is missing.

    Resident memory varies by the order in which a step's parts happen to run. This settles with
    the first steps. Free memory in TensorFlow's own pool counts as in use, so what is kept shows
    once it exceeds that: over hundreds of steps, but not always over twenty.
    """
    values = {}
    with contextlib.suppress(AttributeError, OSError, TypeError):
        function = ctypes.CDLL(None).mallinfo2  # glibc alone, since 2.33
        function.restype = _MallocInfo
        info = function()
        values["host"] = info.uordblks + info.hblkhd
    if has_gpu():
        values["gpu"] = tf.config.experimental.get_memory_info("GPU:0")["current"]
    return values


class _MallocInfo(ctypes.Structure):
    """glibc's `mallinfo2`: uordblks and hblkhd are the bytes in use, in arenas and mapped."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _status(field):
    """A field of /proc/self/status in bytes; where there is none, the peak of resident memory."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024

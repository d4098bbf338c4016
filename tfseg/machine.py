"""The machine that a benchmark runs on: what it is, and the memory of this process."""

import contextlib
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


def resident_memory():
    """Bytes of this process in memory."""
    return _status("VmRSS")


def memory_peak():
    """{"peak_rss_mib", and with an accelerator "peak_gpu_mib"} since `reset_memory_peak`."""
    values = {"peak_rss_mib": round(_status("VmHWM") / MIB)}
    if has_gpu():
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        values["peak_gpu_mib"] = round(peak / MIB)
    return values


def _status(field):
    """A field of /proc/self/status in bytes; where there is none, the peak of resident memory."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024

"""The machine: what it is, what of it is free for this process, and what this process takes."""

import contextlib
import ctypes
import os
import platform
import subprocess

import keras
import tensorflow as tf

from tfseg.parallel import count_cores

try:
    import resource
except ImportError:  # Windows: how much memory this process takes isn't known
    resource = None

MIB = 2**20


def describe():
    """Processor, cores, accelerators and versions, as plain values."""
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "processor": _processor(),
        "cores": count_cores(),
        "accelerators": gpus,
        "system": platform.platform(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def count_gpus():
    """The accelerators that there are."""
    return len(tf.config.list_physical_devices("GPU"))


def has_bfloat16():
    """Whether the GPU, or without one the processor, computes in bfloat16 rather than emulate it.

    NVIDIA's do from compute capability 8.0 on; processors have avx512_bf16 or amx_bf16.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("compute_capability", (0, 0)) >= (8, 0)
    flags = _cpu_fields().get("flags", "").split()
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def free_memory(proc="/proc", groups="/sys/fs/cgroup"):
    """Bytes that this process may still take: what the system, and each control group that it is
    in, has left. Caches of files count as free.

    Args:
        proc, groups: where the system tells it.
    """
    free = [_available(proc)]
    for folder, most, used, caches in _control_groups(proc, groups):
        limit = _number(os.path.join(folder, most))
        if limit is None:
            continue
        stat = _fields(os.path.join(folder, "memory.stat"))
        cached = sum(int(stat.get(name, 0)) for name in caches)
        free.append(limit - (_number(os.path.join(folder, used)) or 0) + cached)
    return max(min(free), 0)


def tells_free_memory(proc="/proc"):
    """Whether the system says what is free, so that `free_memory` is no guess."""
    return "MemAvailable:" in _fields(os.path.join(proc, "meminfo"))


def _available(proc):
    fields = _fields(os.path.join(proc, "meminfo"))
    if "MemAvailable:" in fields:
        return int(fields["MemAvailable:"]) * 1024
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 4 * 2**30


def _control_groups(proc, groups):
    """Yields (folder, files of limit and use, entries of memory.stat that can be given back)."""
    with contextlib.suppress(OSError), open(os.path.join(proc, "self/cgroup")) as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if not controllers:
                root, names = groups, ("memory.max", "memory.current", ("inactive_file",))
            elif "memory" in controllers.split(","):
                root = os.path.join(groups, "memory")
                names = (
                    *("memory.limit_in_bytes", "memory.usage_in_bytes"),
                    ("total_inactive_file",),
                )
            else:
                continue
            # Limits of the groups above count as well; within a container the path may be of
            # the system outside, and only its root is there.
            parts = [part for part in path.split("/") if part not in ("", "..")]
            for depth in range(len(parts), -1, -1):
                yield os.path.join(root, *parts[:depth]), *names


def _number(path):
    """The whole number in a file; None where it has none, or there is no file."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _fields(path):
    """{first word of a line: second}; {} where there is no file."""
    try:
        with open(path, encoding="ascii") as file:
            return {words[0]: words[1] for words in map(str.split, file) if len(words) > 1}
    except OSError:
        return {}


def free_gpu_memory():
    """Bytes that are free on the fullest GPU, as its driver says; 8 GiB where it doesn't."""
    command = ("nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits")
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        return min(int(line) for line in found.stdout.split()) * MIB
    except (OSError, subprocess.SubprocessError, ValueError):
        return 8 * 2**30


def _cpu_fields():
    """What the system says of one core."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, value in lines.items()}


def _processor():
    fields = _cpu_fields()
    if not fields:
        return platform.processor() or platform.machine()
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


def resident_memory():
    """Bytes of memory that this process has now; where that can't be told, the most it has had."""
    return _status("VmRSS")


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
    """A field of /proc/self/status in bytes; where there is none, the peak of resident memory, and
    0 where that isn't known."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        if resource is None:
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024

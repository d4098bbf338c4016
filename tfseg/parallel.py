"""Work that goes on in several threads or processes beside what asks for it."""

import collections
import contextlib
import multiprocessing.context
import os
import sys
import threading
import types
from concurrent import futures


def count_cores():
    """The cores that this process may use: of a shared machine, not all."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_order(pool, function, calls, ahead):
    """Yields function(*arguments) for each of `calls`, in their order.

    Args:
        pool: a `concurrent.futures.Executor`; what it has not begun is cancelled where taking the
            results ends early.
        function: what it runs.
        calls: an iterable of arguments, drawn as they are needed.
        ahead: how many calls may wait or run while a result is taken.
    """
    pending = collections.deque()
    try:
        for arguments in calls:
            pending.append(pool.submit(function, *arguments))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise


class _Process(multiprocessing.context.SpawnProcess):
    """A process that imports what its function needs, and not its parent's script.

    Usually the script is run again, up to its `if __name__ == "__main__"`, and with it comes
    TensorFlow: seconds and hundreds of megabytes for each process; and a script without that `if`
    could not be run. No argument of `multiprocessing` says otherwise, and a fork server's processes
    run the script too: they look at the module that is called `__main__` when they start.
    """

    def start(self):
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _Context(multiprocessing.context.SpawnContext):
    Process = _Process


def process_pool(processes):
    """A `concurrent.futures.Executor` of processes.

    They are new ones: forked ones would share this one's TensorFlow, which doesn't bear that. They
    know nothing of the script that runs, so functions and their arguments have to come from
    modules that can be imported.
    """
    return futures.ProcessPoolExecutor(processes, mp_context=_Context())


class Behind:
    """Calls of a function that threads make while what asks for them goes on.

    Use it in a `with` block, at whose end all calls are done. What one of them raises comes out
    some calls later, or at the end.

    Args:
        function: what is called; what it returns is dropped.
        threads: how many call it; twice as many calls may wait for them.
    """

    def __init__(self, function, threads=1):
        self._function = function
        self._pool = futures.ThreadPoolExecutor(threads, initializer=_give_way)
        self._pending = collections.deque()
        self._limit = 2 * threads

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            while self._pending and kind is None:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, *arguments):
        if len(self._pending) == self._limit:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._function, *arguments))


def _give_way():
    """Makes the thread work where others leave a processor idle."""
    if sys.platform == "linux":  # where threads have priorities of their own
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)

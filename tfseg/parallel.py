"""Work that goes on in several threads or processes while its results are taken in order."""

import collections
import multiprocessing.context
import sys
import types
from concurrent import futures


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
    TensorFlow: seconds and hundreds of megabytes for each process.
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

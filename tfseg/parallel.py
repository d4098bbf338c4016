"""Work that goes on in several threads or processes while its results are taken in order."""

import collections


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

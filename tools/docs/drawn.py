"""A training on drawn images, ready for its first update, for the tables that measure one."""

import contextlib
import tempfile


@contextlib.contextmanager
def training(strategy, images, size, **settings):
    """A `Session` with its step and batches, in a folder of its own.

    Args:
        strategy: as from `create_strategy`.
        images: how many are drawn to train on.
        size: their (height, width).
        **settings: of `TrainConfig`, without its folders.

    Yields:
        (session, step, iterator of batches).
    """
    from tfseg.data import write_sample_dataset
    from tfseg.training import TrainConfig
    from tfseg.training.segmentation import Segmentation
    from tfseg.training.session import Session

    with tempfile.TemporaryDirectory() as folder:
        write_sample_dataset(folder, train=images, val=1, size=size)
        config = TrainConfig(data_dir=folder, run_dir=f"{folder}/run", **settings)
        task = Segmentation()
        session = Session(config, task.plan(config), strategy, task)
        dataset = task.dataset(config, session.plan, strategy, 0)
        yield session, session.train_step(dataset.element_spec), iter(dataset)

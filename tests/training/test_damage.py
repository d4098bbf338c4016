"""A run directory with one damaged file: the run goes on exactly, or says in one line why not."""

import pathlib
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.models import ModelSpec
from tfseg.training import train
from tfseg.training.checkpoints import find_checkpoint


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


DAMAGE = {
    "removed": pathlib.Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3]),
    **{f"flipped at {p}": lambda path, p=p: flip(path, p) for p in (0, 0.3, 0.5, 0.8, 1)},
}
# Finer than the checkpoints, so that a log that is cut too far or too little shows.
SETTINGS = {"steps": 6, "checkpoint_every": "2", "validate_every": "2", "ema_decay": 0.9}


@pytest.fixture(scope="module")
def make(make_run, tmp_path_factory):
    """Function (run name, **settings) -> `TrainConfig`; the runs stay for the whole module."""
    root = tmp_path_factory.mktemp("damage")
    return lambda run, **settings: make_run(root / run, **{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def stopped(make, train_until):
    """A copy of a run that died after its step 5, with whole checkpoints of the steps 2 and 4."""
    config = make("run")
    train_until(config, 5)
    shutil.move(config.run_dir, f"{config.run_dir}.stopped")
    return pathlib.Path(f"{config.run_dir}.stopped")


@pytest.fixture
def again(make, stopped):
    """The settings of the stopped run, and its directory as it was."""
    config = make("run")
    shutil.rmtree(config.run_dir, ignore_errors=True)
    shutil.copytree(stopped, config.run_dir)
    return config


@pytest.fixture(scope="module")
def whole(make):
    """The settings of a run that was never disturbed."""
    config = make("whole")
    train(config)
    return config


def contents(folder):
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def checkpoint_files(config, step):
    folder = pathlib.Path(config.run_dir, runs.CHECKPOINTS)
    return sorted(folder.glob(f"step-{step}.*"))


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_newest_whole_checkpoint_is_taken(again, damage):
    """Whatever is wrong with a file of the newest; and if with one of each, none is."""
    names = [path.suffix for path in checkpoint_files(again, 4)]
    assert len(names) == 3
    kept = contents(again.run_dir)
    for suffix in names:
        for path, content in kept.items():
            pathlib.Path(path).write_bytes(content)
        (newest,) = (p for p in checkpoint_files(again, 4) if p.suffix == suffix)
        DAMAGE[damage](newest)
        found = find_checkpoint(again.run_dir)
        if suffix == runs.DIGESTS:
            # Without digests, it reads back.
            assert found.values["step"] == 4 and not found.damaged
            continue
        assert found.values["step"] == 2 and newest.name in found.damaged[0]
        DAMAGE[damage](next(p for p in checkpoint_files(again, 2) if p.suffix == suffix))
        before = contents(again.run_dir)
        with pytest.raises(TfsegError, match=r"no whole checkpoint: .*step-4.*; .*step-2") as e:
            train(again)
        assert "\n" not in str(e.value)
        assert contents(again.run_dir) == before


def test_checkpoints_without_digests_are_read_back(again):
    """As version 0.1 wrote them, with a text file that names them."""
    folder = pathlib.Path(again.run_dir, runs.CHECKPOINTS)
    for path in folder.glob("*.json"):
        path.unlink()
    for damage in ("flipped at 0.5", "truncated", "emptied", "removed"):
        listing = 'model_checkpoint_path: "step-4"\nall_model_checkpoint_paths: "step-2"\n'
        listing += 'all_model_checkpoint_paths: "step-4"\n'
        (folder / "checkpoint").write_text(listing)
        assert find_checkpoint(again.run_dir).values["step"] == 4
        for name in ("step-4.index", "step-4.data-00000-of-00001"):
            content = (folder / name).read_bytes()
            DAMAGE[damage](folder / name)
            found = find_checkpoint(again.run_dir)
            assert found.values["step"] == 2 and "step-4" in found.damaged[0]
            (folder / name).write_bytes(content)
    for listing in ("", "\x00", None):
        (folder / "checkpoint").unlink()
        if listing is not None:
            (folder / "checkpoint").write_text(listing)
        assert find_checkpoint(again.run_dir).values["step"] == 4


def scores_of(config):
    """What the best weights are, as arrays."""
    with h5py.File(pathlib.Path(config.run_dir, runs.BEST_WEIGHTS)) as file:
        found = {}
        file.visititems(lambda n, x: found.update({n: x[()]}) if hasattr(x, "shape") else None)
        return found


def check_one(config, path, whole, assert_same_run):
    """Continues a run with one damaged file."""
    before = contents(config.run_dir)
    try:
        train(config)
    except TfsegError as error:
        assert path.name == runs.LOG and runs.LOG in str(error) and "\n" not in str(error)
        assert contents(config.run_dir).keys() == before.keys()
        path.unlink()
        train(config)
    if path.name == runs.LOG:
        # Rows are lost, or a digit of one is another: nothing else.
        shutil.copy(pathlib.Path(whole.run_dir, runs.LOG), path)
    assert_same_run(config, whole)
    for name, value in scores_of(whole).items():
        np.testing.assert_array_equal(scores_of(config)[name], value, name)
    assert runs.read_config(config.run_dir) == config.to_flags()
    card = ModelSpec.load(pathlib.Path(config.run_dir, runs.MODEL_CARD))
    assert card == ModelSpec.load(pathlib.Path(whole.run_dir, runs.MODEL_CARD))


def files_of(stopped):
    return sorted(path.relative_to(stopped) for path in stopped.rglob("*") if path.is_file())


def test_a_run_continues_from_an_older_checkpoint(again, whole, assert_same_run, caplog):
    path = pathlib.Path(again.run_dir, runs.CHECKPOINTS, "step-4.index")
    DAMAGE["truncated"](path)
    check_one(again, path, whole, assert_same_run)
    assert "step-4.index is damaged: it isn't what was written: not continued" in caplog.text
    steps = runs.checkpoint_steps(again.run_dir)
    assert steps == [6, 4]
    for step in steps:
        assert runs.read_digests(runs.checkpoint_path(again.run_dir, step))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_every_damaged_file(again, stopped, whole, damage, assert_same_run):
    names = files_of(stopped)
    assert len(names) == 4 + 2 * 3 + 1
    for name in names:
        shutil.rmtree(again.run_dir)
        shutil.copytree(stopped, again.run_dir)
        path = pathlib.Path(again.run_dir, name)
        DAMAGE[damage](path)
        check_one(again, path, whole, assert_same_run)


def test_a_finished_run_is_left_alone(make, whole, again):
    before = contents(whole.run_dir)
    result = train(make("whole", learning_rate=0.5, log_every=2))
    assert result.step == 6 and contents(whole.run_dir) == before
    for name in (runs.BEST_WEIGHTS, runs.MODEL_CARD):
        path = pathlib.Path(whole.run_dir, name)
        content = path.read_bytes()
        for damage in ("removed", "flipped at 0.3"):
            DAMAGE[damage](path)
            with pytest.raises(TfsegError, match=f"is finished, but .*{name}"):
                train(whole)
            path.write_bytes(content)
    assert contents(whole.run_dir) == before


def test_lost_best_weights_are_said_and_written_again(again, caplog):
    path = pathlib.Path(again.run_dir, runs.BEST_WEIGHTS)
    flip(path, 0.5)
    with pytest.raises(TfsegError, match="is damaged"):
        tfseg.load(again.run_dir)
    best = train(again).best
    assert "the next validation's weights are kept" in caplog.text
    assert best["step"] == 6 and tfseg.load(again.run_dir)


def test_a_run_with_other_settings_keeps_both(again, make, board):
    config = make("run", learning_rate=5e-4, log_every=2)
    train(config)
    text = pathlib.Path(config.run_dir, runs.CONFIG).read_text()
    flags, earlier = text.split("# Up to step 4:\n")
    assert "--learning_rate=0.0005\n" in flags and "0.001" not in flags
    assert earlier.splitlines() == ["# --learning_rate=0.001", "# --log_every=1"]
    assert runs.read_config(config.run_dir) == config.to_flags()
    assert [step for step, tag in board(config) if tag == "flags"] == [1, 5]
    record = find_checkpoint(config.run_dir).values["record"]
    assert [step for step, _ in record] == [0, 4]


def test_tensorboard_has_each_step_once(again, board):
    # The dead process wrote step 5, which is not in a checkpoint.
    assert (5, "loss") in board(again)
    train(again)
    assert [step for step, tag in board(again) if tag == "loss"] == [1, 2, 3, 4, 5, 6]
    assert [step for step, tag in board(again) if tag == "validation/0"] == [2, 4, 6]


@pytest.fixture
def board():
    """Function (config) -> sorted (step, tag) of all events."""

    def read(config):
        found = []
        for path in pathlib.Path(config.run_dir, runs.BOARD).iterdir():
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                found += [(event.step, value.tag) for value in event.summary.value]
        return sorted(found)

    return read

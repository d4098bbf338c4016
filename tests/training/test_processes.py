"""Runs in processes of their own: killed, asked to stop, and spread over workers."""

import os
import pathlib
import runpy

import pytest

from tfseg.training import train

ROOT = pathlib.Path(__file__).parents[2]
# tools/docs/traffic.py, which measures for the docs what such workers send each other.
cluster = runpy.run_path(str(ROOT / "tools" / "docs" / "traffic.py"))["cluster"]


def wait_for(process, text):
    """Reads the process's output up to a line with `text`."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return
    pytest.fail(f"no '{text}' in:\n{''.join(seen)}")


def finish(process, code=0):
    """Waits for the end of the process; returns the rest of its output."""
    output = process.communicate(timeout=300)[0]
    assert process.returncode == code, output
    return output


@pytest.mark.slow
def test_killed_and_stopped_runs_end_as_an_undisturbed_one(make_config, start, assert_same_run):
    settings = {"steps": 12, "checkpoint_every": "3", "validate_every": "6", "ema_decay": 0.9}
    whole, parts = make_config("whole", **settings), make_config("parts", **settings)
    undisturbed = start(whole)

    process = start(parts)
    wait_for(process, "step 4/12")
    process.kill()  # SIGKILL, while the next step is running
    finish(process, -9)
    assert not (pathlib.Path(parts.run_dir) / "checkpoints" / "step-6.index").exists()

    process = start(parts)
    wait_for(process, "step 5/12")
    process.terminate()
    output = finish(process, 143)
    assert "stopped by SIGTERM and saved at step" in output and "Traceback" not in output

    process = start(parts)
    wait_for(process, "step 10/12")
    process.kill()
    finish(process, -9)

    assert "continuing" in finish(start(parts))
    finish(undisturbed)
    assert_same_run(parts, whole)


def test_two_workers_give_the_result_of_one_device(make_config, start, assert_same_run):
    settings = {"steps": 2, "validate_every": "2", "learning_rate": 1e-5}
    one, two = make_config("one", **settings), make_config("two", strategy="auto", **settings)
    workers = [start(two, TF_CONFIG=config) for config in cluster(2)]
    train(one)
    for worker in workers:
        finish(worker)
    assert_same_run(two, one, 1e-5)
    files = os.listdir(os.path.join(two.run_dir, "checkpoints"))
    assert not [name for name in files if "worker" in name]


@pytest.mark.slow
def test_two_workers_stop_and_continue_at_the_same_step(make_config, start, assert_same_run):
    """Where one of them is asked to."""
    settings = {"steps": 6, "validate_every": "3", "learning_rate": 1e-5}
    one, two = make_config("one", **settings), make_config("two", strategy="auto", **settings)
    workers = [start(two, TF_CONFIG=config) for config in cluster(2)]
    wait_for(workers[0], "step 2/6")
    workers[1].terminate()
    for worker in workers:
        assert "Traceback" not in finish(worker, 143)
    workers = [start(two, TF_CONFIG=config) for config in cluster(2)]
    train(one)
    for worker in workers:
        finish(worker)
    assert_same_run(two, one, 1e-5)

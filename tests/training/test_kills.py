"""Runs that are killed at random moments, again and again, end bit for bit as undisturbed ones."""

import json
import os
import random
import subprocess
import sys

import pytest

from tfseg import runs
from tfseg.training import train

# How often each run is killed, at most; a process may come to the run's end before.
KILLS = int(os.environ.get("TFSEG_TEST_KILLS", "40"))

# Imports once and forks for each attempt, as the imports take most of the time. Reads a JSON
# config and lines of seconds after which an attempt is killed; answers each by its exit code.
SERVER = """
import json, os, signal, sys, time
import tensorflow
from tfseg.training import TrainConfig, train
config = TrainConfig(**json.loads(sys.stdin.readline()))
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        try:
            train(config)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + float(line)
    while not (done := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.002)
    if not done[0]:
        os.kill(child, signal.SIGKILL)
        done = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(done[1]), flush=True)
"""


@pytest.mark.slow
def test_runs_killed_at_random_end_as_undisturbed_ones(make_config, assert_same_run, tmp_path):
    """Checkpoints and validations at every step, so that many kills fall into them."""
    settings = {"steps": 12, "checkpoint_every": "1", "validate_every": "2", "ema_decay": 0.9}
    whole = make_config("whole", **settings)
    train(whole)
    moments, kills, number = random.Random(0), 0, 0
    while kills < KILLS:
        config, number = make_config(f"run{number}", **settings), number + 1
        values = {f.name: getattr(config, f.name) for f in config.flag_fields()}
        with open(tmp_path / f"errors{number}", "w+") as errors:
            server = subprocess.Popen(
                [sys.executable, "-c", SERVER],
                env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            server.stdin.write(json.dumps(values) + "\n")
            longest = 8.0
            while True:
                # Without a limit where enough were killed; longer ones where nothing is reached.
                seconds = moments.uniform(0.5, longest) if kills < KILLS else 1e6
                server.stdin.write(f"{seconds}\n")
                server.stdin.flush()
                code = int(server.stdout.readline())
                if code != -9:
                    break
                kills, longest = kills + 1, longest * 1.02
            server.communicate()
            errors.seek(0)
            assert code == 0, errors.read()[-3000:]
        assert_same_run(config, whole)
        assert not os.path.exists(os.path.join(config.run_dir, runs.LOCK))

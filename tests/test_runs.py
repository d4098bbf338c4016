"""What a run directory says of itself, and who may write to it; without TensorFlow."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg import digests, runs
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json

HOLD = """
import sys
from tfseg import runs
assert "tensorflow" not in sys.modules
with runs.locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_trained_by_one_process(tmp_path):
    run = tmp_path / "runs" / "one"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(runs.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "locked\n"
    who = rf"is being trained by .* on .*, process {holder.pid}, since \d{{4}}-\d\d-\d\d \d\d:"
    with pytest.raises(TfsegError, match=who), runs.locked(run):
        pass
    # A killed process leaves its file, but not its lock.
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (run / runs.LOCK).exists()
    with runs.locked(run):
        assert f"process {os.getpid()}," in (run / runs.LOCK).read_text()
    assert list(run.iterdir()) == []


def test_only_one_of_many_gets_the_lock(tmp_path):
    """Also while others give it back, and with it its file."""
    inside, most, entered = 0, 0, 0
    guard = threading.Lock()

    def try_it():
        nonlocal inside, most, entered
        for _ in range(200):
            try:
                with runs.locked(tmp_path / "run"):
                    with guard:
                        inside += 1
                        most, entered = max(most, inside), entered + 1
                    with guard:
                        inside -= 1
            except TfsegError:
                continue

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and entered > 0


def test_a_folder_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(ValueError), runs.locked(tmp_path / "a" / "b"):
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with runs.locked(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir()


def test_what_killed_writers_leave_goes_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    for folder in (run, run / runs.CHECKPOINTS, run / runs.BOARD):
        folder.mkdir()
        for name in (".abcd_123.part", "notes.part", ".hidden", ".mine.part"):
            (folder / name).write_text("x")
    with runs.locked(run):
        pass
    for folder in (run, run / runs.CHECKPOINTS, run / runs.BOARD):
        files = {path.name for path in folder.iterdir() if path.is_file()}
        assert files == {"notes.part", ".hidden", ".mine.part"}


def test_the_record_keeps_what_was_before(tmp_path):
    record = [[0, "--a=1\n--b=1\n"], [3, "--a=2\n--b=1\n"], [5, "--a=2\n--b=3\n"]]
    (tmp_path / runs.CONFIG).write_text(text := runs.config_text(record))
    assert runs.read_config(tmp_path) == "--a=2\n--b=3\n"
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == ["# Up to step 5:", "# --b=1", "# Up to step 3:", "# --a=1"]


@given(content=st.binary(max_size=300), place=st.integers(0), flip=st.integers(1, 255))
def test_a_seal_tells_every_changed_byte(tmp_path_factory, content, place, flip):
    path = tmp_path_factory.mktemp("seal") / "file"
    whole = content + digests.seal(content)
    path.write_bytes(whole)
    digests.check_seal(path)
    changed = bytearray(whole)
    changed[place % len(whole)] ^= flip
    path.write_bytes(changed)
    try:
        digests.check_seal(path)
    except TfsegError as error:
        assert "is damaged" in str(error)
    else:  # the seal itself isn't one any more, or ends in another byte
        assert changed[: len(content)] == content


def test_sealed_values_come_back_and_changed_ones_do_not(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, digests.sealed({"a": [1, 0.1], "ä": None}))
    assert digests.unsealed(read_json(path), path) == {"a": [1, 0.1], "ä": None}
    assert digests.unsealed({"a": 1}, path) == {"a": 1}
    with pytest.raises(TfsegError, match=r"values.json .*changed by hand.*remove its entry"):
        digests.unsealed({**read_json(path), "a": [1, 0.2]}, path)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_log_is_rows_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_bytes(b"step,loss\n" + content)
    try:
        rows = runs.read_log(path)
    except TfsegError as error:
        assert "log.csv" in str(error) and "\n" not in str(error)
    else:
        assert all(isinstance(row["step"], float) for row in rows)


@pytest.mark.parametrize(
    "text", ["step,loss\n1,x\n", "loss\n1\n", "step,loss\nnan,1\n", "step\n1,2\n"]
)
def test_a_damaged_log_says_where(tmp_path, text):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(TfsegError, match="is damaged at line 2"):
        runs.read_log(tmp_path / "log.csv")


def test_a_run_names_its_data_folder(tmp_path):
    run_dir, data_dir = tmp_path / "run", tmp_path / "data"
    run_dir.mkdir()
    with pytest.raises(TfsegError, match=r"run has no config\.flags naming one"):
        runs.data_dir_of(str(run_dir))
    (run_dir / runs.CONFIG).write_text(f"--data_dir={data_dir}\n")
    with pytest.raises(TfsegError, match=r"data, which .*run was trained on, isn't here"):
        runs.data_dir_of(str(run_dir))
    data_dir.mkdir()
    assert runs.data_dir_of(str(run_dir)) == str(data_dir)

"""What is no file is refused before it is opened: a pipe or a device may be read for ever."""

import os
import signal
import socket
import struct
import tokenize
import zlib

import numpy as np
import pytest
from PIL import Image

from tfseg.data.entries import read_lines
from tfseg.data.image_files import image_size, read_image, read_label, reading
from tfseg.data.lists import read_file
from tfseg.errors import TfsegError
from tfseg.evaluation.localization import read_boxes
from tfseg.files import damage_is_value_error, open_file, read_json, replacing_folder
from tfseg.inference.crf import load_probabilities
from tfseg.inference.predict_files import find_images
from tfseg.runs import read_log
from tfseg.weights import readers


@pytest.fixture(autouse=True)
def no_waiting():
    """A reader that waits after all ends the test, not the suite's patience."""

    def end(*_):
        raise TimeoutError("it waits for the file")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_FILES = {
    "a named pipe": os.mkfifo,
    "a socket": make_socket,
    "a folder": os.mkdir,
    "a device": lambda path: os.symlink("/dev/zero", path),
}


def find(path):
    return find_images([path])


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize(
    "read",
    [
        *(open_file, read_json, read_image, read_label, image_size, read_file, read_lines),
        *(read_log, read_boxes, load_probabilities, readers.read, find),
    ],
)
def test_no_reader_opens_it(read, kind, tmp_path, monkeypatch):
    if kind == "a folder" and read is find:
        pytest.skip("a folder of images is an input")
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    NO_FILES[kind]("it.png")
    with pytest.raises(TfsegError, match=r"it\.png") as error:
        read("it.png")
    if kind != "a folder":
        assert f"it.png is {kind}, not a file" in str(error.value)


def test_a_link_to_a_file_is_one(tmp_path):
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(tmp_path / "a.png")
    os.symlink(tmp_path / "a.png", tmp_path / "b.png")
    assert read_image(tmp_path / "b.png").shape == (2, 3, 3)


def test_what_cannot_take_a_folders_place_leaves_it(tmp_path, monkeypatch):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "mark").write_text("earlier")
    replace = os.replace

    def fail(source, target):
        if os.path.basename(source) == "new":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with (
        pytest.raises(TfsegError, match="export: No space left"),
        replacing_folder(tmp_path / "export", "mark") as new,
    ):
        (tmp_path / new / "mark").write_text("later")
    assert (tmp_path / "export" / "mark").read_text() == "earlier"
    assert os.listdir(tmp_path) == ["export"]


@pytest.mark.parametrize(
    "damage",
    [zlib.error("invalid\ncode"), tokenize.TokenError("EOF", (2, 0)), EOFError(), StopIteration()],
)
def test_damage_of_any_type_is_one_line(damage):
    with pytest.raises(ValueError, match=r"^.+$"), damage_is_value_error():
        raise damage


@pytest.mark.parametrize(
    "damage", [struct.error("short"), TypeError("tuple"), IndexError(), OSError()]
)
def test_damage_of_any_type_names_the_image(damage):
    with pytest.raises(TfsegError, match=r"^mask a\.tif can't be read: "), reading("a.tif", "mask"):
        raise damage


@pytest.mark.parametrize("said", [FileNotFoundError(2, "No such file"), TfsegError("a message")])
def test_what_is_said_already_stays(said):
    with pytest.raises(type(said)) as error, damage_is_value_error():
        raise said
    assert error.value is said

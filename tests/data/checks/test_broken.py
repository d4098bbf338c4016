"""Data sets that are broken in the ways that happen, and what the check says of them."""

import base64
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, check_dataset, eval_dataset, read_split
from tfseg.errors import TfsegError
from tfseg.reports.contact_sheet import write_contact_sheet

COLOURS = [(128, 64, 128), (70, 70, 70), (70, 130, 180), (220, 20, 60)]


@pytest.fixture
def folder(make_folder):
    """Six pairs of train and six of val, colour images, with a palette in info.json."""
    for split, seed in (("val", 1), ("train", 0)):
        root = make_folder([(32, 48)] * 6, split=split, seed=seed)
        for number in range(6):
            image = np.random.default_rng(number).integers(0, 256, (32, 48, 3), np.uint8)
            Image.fromarray(image).save(root / f"{split}/{number}.png")
    info = DataInfo((0.5,) * 3, (0.2,) * 3, [f"kind {k}" for k in range(4)], COLOURS)
    info.save(root)
    assert findings(root) == []
    return root


def findings(folder, **options):
    report = check_dataset(folder, **options)
    return report.errors + report.warnings


def swap_lists(folder):
    images, labels = folder / "train_images.txt", folder / "train_labels.txt"
    a, b = images.read_text(), labels.read_text()
    images.write_text(b)
    labels.write_text(a)


def shift_list(folder):
    path = folder / "train_labels.txt"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([*rest, first]) + "\n")


def label_of(folder):
    return np.array(Image.open(folder / "train/3_label.png"))


def one_pixel(folder):
    label = label_of(folder)
    label[7, 9] = 4
    Image.fromarray(label).save(folder / "train/3_label.png")


def grey_image(folder):
    Image.open(folder / "train/3.png").convert("L").save(folder / "train/3.png")


def sixteen_bits(folder):
    Image.fromarray(label_of(folder).astype(np.uint16)).save(folder / "train/3_label.png")


def colours(folder):
    Image.fromarray(np.array(COLOURS, np.uint8)[label_of(folder)]).save(
        folder / "train/3_label.png"
    )


def other_palette(folder):
    label = Image.fromarray(3 - label_of(folder), "P")
    label.putpalette([value for colour in COLOURS[::-1] for value in colour])
    label.save(folder / "train/3_label.png")


def blended(folder):
    label = Image.fromarray(np.where(label_of(folder) > 1, 3, 0).astype(np.uint8))
    small = label.resize((24, 16), Image.Resampling.NEAREST)
    small.resize((48, 32), Image.Resampling.BILINEAR).save(folder / "train/3_label.png")


def same_name(folder):
    (folder / "train/3.jpg").write_bytes((folder / "train/3.png").read_bytes())
    for kind, name in (("images", "train/3.jpg"), ("labels", "train/3_label.png")):
        with open(folder / f"train_{kind}.txt", "a") as file:
            file.write(f"{name}\n")


def in_both_splits(folder):
    for kind in ("images", "labels"):
        name = (folder / f"train_{kind}.txt").read_text().splitlines()[3]
        with open(folder / f"val_{kind}.txt", "a") as file:
            file.write(f"{name}\n")


def exif(orientation):
    def spoil(folder):
        path = folder / "train/3.png"
        image = Image.open(path).convert("RGB")
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(path, "JPEG", exif=exif)

    return spoil


def zero_bytes(folder):
    (folder / "train/3.png").write_bytes(b"")


def empty_label(folder):
    (folder / "train/3_label.png").write_bytes(b"")


def pipe(name):
    def spoil(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def not_utf8(folder):
    path = folder / "train_images.txt"
    path.write_bytes(path.read_bytes().replace(b"train/3.png", b"train/caf\xe9.png"))


@pytest.mark.parametrize(
    ("spoil", "pieces"),
    [
        (swap_lists, ["label map", "3.png has 8-bit RGB pixels", "are the two lists swapped?"]),
        (shift_list, ["different orders in 6 places", "0.png stands beside", "1_label.png"]),
        (one_pixel, ["3_label.png has the value 4 in 1 pixel; allowed are 0..3 and 255"]),
        (grey_image, ["image", "3.png is grey (L)"]),
        (sixteen_bits, ["3_label.png has 16-bit grey pixels", "8-bit grey or palette"]),
        (colours, ["3_label.png has 8-bit RGB pixels", "`color_map`"]),
        (other_palette, ["3_label.png paints the value", "in the colour of", "(kind "]),
        (blended, ["3_label.png looks anti-aliased"]),
        (same_name, ["train/3.jpg", "duplicate", "as train/3.png"]),
        (in_both_splits, ["image train/3.png of the split val has a duplicate", "in train"]),
        (exif(3), ["1 of 6 images is turned as EXIF orientation says", "train/3.png"]),
        (
            exif(6),
            ["3.png, turned as its EXIF orientation 6 says, is 32x48", "3_label.png is 48x32"],
        ),
        (zero_bytes, ["image", "3.png is empty: the file has 0 bytes"]),
        (empty_label, ["label map", "3_label.png is empty: the file has 0 bytes"]),
        (pipe("train/3.png"), ["train/3.png is a named pipe, not a file"]),
        (pipe("train/3_label.png"), ["train/3_label.png is a named pipe, not a file"]),
        (not_utf8, ["train_images.txt, line 4: text that is not UTF-8: b'train/caf\\xe9.png'"]),
    ],
)
def test_what_is_broken_is_named(folder, spoil, pieces):
    spoil(folder)
    found = findings(folder)
    assert any(all(piece in line for piece in pieces) for line in found), found


def test_pipelines_open_no_pipe(folder):
    pipe("train/3_label.png")(folder)
    with pytest.raises(TfsegError, match=r"train/3_label\.png is a named pipe"):
        eval_dataset(read_split(folder, "train"), num_classes=4)


def test_a_journal_saves_the_second_reading(folder):
    journal = folder / "check.jsonl"
    one_pixel(folder)
    first = check_dataset(folder, journal=journal)
    lines = journal.read_text().splitlines()
    assert len(lines) == 12
    # What is known is not read again: facts that can't come from the files are taken over …
    first_image = str(folder / "train/0.png")
    lines.sort(key=lambda line: first_image not in line)
    row = json.loads(lines[0])
    row[1]["warnings"] = ["from the journal"]
    journal.write_text("\n".join([json.dumps(row), *lines[1:-1], lines[-1][:20]]))
    again = check_dataset(folder, journal=journal)
    assert again.warnings == ["from the journal"] and again.errors == first.errors
    assert again.table() == first.table()
    # … and a line that was cut short is made anew.
    assert len(journal.read_text().splitlines()) == 12
    # A file that changed is read again.
    for name in ("0.png", "3_label.png"):
        os.utime(folder / "train" / name, ns=(1, 1))
    assert check_dataset(folder, journal=journal).warnings == []
    assert len(journal.read_text().splitlines()) == 12


def test_progress_and_contact_sheet(folder):
    one_pixel(folder)
    zero = folder / "val/5.png"
    zero.write_bytes(b"")
    steps = []
    report = check_dataset(folder, progress=lambda *step: steps.append(step))
    assert steps == [(done, 6) for done in range(1, 7)] * 2
    path = folder / "sheet.html"
    write_contact_sheet(path, folder, report, count=3)
    text = path.read_text()
    assert text.count("<figure>") == 6
    assert text.count("data:image/") == 10  # the empty file can't be shown
    assert "http" not in text and 'src="data:' in text
    # However many classes there are, their table doesn't hide the pictures.
    assert text.index("<details>") < text.index("<pre>") < text.index("</details>")
    assert "kind 3" in text and "rgb(220, 20, 60)" in text and "0 bytes" in text


def test_contact_sheet_shows_the_labels_colours(folder):
    report = check_dataset(folder)
    Image.fromarray(np.full((32, 48), 3, np.uint8)).save(folder / "train/0_label.png")
    Image.new("RGB", (48, 32)).save(folder / "train/0.png")
    write_contact_sheet(folder / "sheet.html", folder, report, count=1)
    parts = (folder / "sheet.html").read_text().split("base64,")[1:3]
    image, overlay = (
        Image.open(io.BytesIO(base64.b64decode(part.split('"')[0]))).convert("RGB")
        for part in parts
    )
    assert image.size == overlay.size == (480, 320)
    assert max(np.asarray(image).max(axis=(0, 1))) < 5
    expected = np.array(COLOURS[3]) * 0.6
    np.testing.assert_allclose(np.asarray(overlay).mean(axis=(0, 1)), expected, atol=6)

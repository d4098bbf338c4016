"""Numbers in sentences, and that all sentences of the package have them."""

import ast
import pathlib
import re

import pytest

import tfseg
from tfseg.words import counted

ROOT = pathlib.Path(tfseg.__file__).parent


@pytest.mark.parametrize(
    ("nouns", "one", "two"),
    [
        (["image"], "1 image", "2 images"),
        (["class"], "1 class", "2 classes"),
        (["box"], "1 box", "2 boxes"),
        (["batch"], "1 batch", "2 batches"),
        (["entry"], "1 entry", "2 entries"),
        (["array"], "1 array", "2 arrays"),
        (["label map"], "1 label map", "2 label maps"),
        (["more image axis"], "1 more image axis", "2 more image axes"),
        (["image has", "images have"], "1 image has", "2 images have"),
    ],
)
def test_a_number_with_what_it_counts(nouns, one, two):
    assert counted(1, *nouns) == one
    assert counted(2, *nouns) == two
    assert counted(0, *nouns) == two.replace("2", "0")


COUNTED = (
    "arrays|bits|bytes|categories|channels|classes|colours|cores|entries|epochs|errors|files|folders|"
    "frames|GPUs|groups|images|masks|maps|names|numbers|objects|outputs|pairs|parts|pixels|places|"
    "processes|replicas|runs|samples|scenes|seeds|shapes|shards|splits|steps|tiles|updates|"
    "validations|values|variables|views|warnings|weights|workers"
)
_PLURAL = re.compile(
    rf" (?:(?!(?:and|are|has|joins|makes|million|of|takes|with) )[a-z]+ )?(?:{COUNTED})\b(?!/)"
)

# What may stand before such a word: what is no number, and what is never 1.
OTHERS = {
    "size": "a square: the second number of it",
    "max_side": "a largest side",
    "largest": "a largest number of pixels",
    "replicas": "said of several alone",
    "workers": "said of several alone",
    "len(published)": "one for each of a network's stages",
    "total": "a line of a run's record, which is read back",
    "found": "a word: RGB",
    "name": "a word",
    "path": "what names something",
    "file['path']": "what names something",
    "suffix": "a word",
    "weights": "those of a network",
}


def _numbers_before_plurals(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    words = _PLURAL.match(text.value)
                    form = ast.unparse(value.format_spec) if value.format_spec else ""
                    if words and "%" not in form:
                        yield ast.unparse(value.value), f"{path.name}:{node.lineno}: {words[0]}"


def test_the_look_at_sentences_sees_them(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        'f"{len(x)} label maps"; f"{x.count} pixels"; f"{x} is"; f"{path} has images"\n'
    )
    assert [value for value, _ in _numbers_before_plurals(file)] == ["len(x)", "x.count"]


def test_no_sentence_says_1_images():
    """A number before a plural is written by `counted`."""
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        for value, place in _numbers_before_plurals(path):
            if value not in OTHERS and not value.startswith("counted("):
                wrong.append(f"{place}: {value}")
    assert not wrong

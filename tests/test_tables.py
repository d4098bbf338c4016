"""Tables of rows: found by name, imported at first use, and open to users' rows."""

import functools
import math

import pytest

from tfseg.errors import TfsegError, nearest
from tfseg.tables import Row, Table, object_name


def colours():
    return Table("colour", [Row(name="ultramarine", code="math:pi"), Row(name="umber", code=max)])


def test_rows_come_in_order_and_load_their_code():
    table = colours()
    assert list(table) == ["ultramarine", "umber"] and len(table) == 2 and "umber" in table
    assert table.find("ultramarine").load() == pytest.approx(3.14159, abs=1e-5)
    assert table["umber"].load() is max
    assert table.register(Row(name="ochre", code="os:path.join")) is table["ochre"]
    assert table["ochre"].load().__name__ == "join"


def test_unknown_names_get_the_nearest():
    with pytest.raises(TfsegError, match="unknown colour 'ultramarin'; did you mean ultramarine"):
        colours().find("ultramarin")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("--epoch", ["--epochs"]),  # and not --teacher, which is half like it
        ("bsh", ["bash", "zsh"]),
        ("zzz", []),
    ],
)
def test_what_is_far_less_similar_than_the_nearest_is_not_meant(name, near):
    assert nearest(name, ["--epochs", "--teacher", "--nocache", "bash", "zsh"]) == near


def test_a_name_is_given_once():
    with pytest.raises(TfsegError, match="there is a colour 'umber' already"):
        colours().register(Row(name="umber", code=min))


@pytest.mark.parametrize("code", ["no_such_module_here:x", "math:no_such_object", "math.no:x"])
def test_code_that_is_not_there(code):
    with pytest.raises(TfsegError, match=f"mine needs {code}: "):
        Row(name="mine", code=code).load()


def test_an_import_that_fails_within_the_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import no_such_module_here")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        Row(name="mine", code="needs_more:x").load()


def test_lists_of_names_with_numbers():
    table = colours()
    rows = table["umber"], table["ultramarine"]
    assert table.parse("umber:0.5, ultramarine") == ((rows[0], 0.5), (rows[1], None))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("umber:", "the colour umber takes a number, not ''"),
        ("umber:nan", "the colour umber takes a number, not 'nan'"),
        ("umber,umber:1", "the colour umber comes twice"),
        ("", "unknown colour ''"),
    ],
)
def test_lists_that_are_wrong(text, message):
    with pytest.raises(TfsegError, match=message):
        colours().parse(text)


def test_rows_and_objects_stand_for_names():
    table = Table(
        "colour", [Row(name="umber", code=max)], lambda name, code: Row(name=name, code=code)
    )
    own = Row(name="mine", code=min)
    given = ["umber", (own, 2), math.fsum, functools.partial(round, ndigits=3)]
    rows = table.parse(given)
    assert [(row.name, number) for row, number in rows] == [
        ("umber", None),
        ("mine", 2),
        ("math.fsum", None),
        ("builtins.round(ndigits=3)", None),
    ]
    assert rows[1][0] is own and rows[2][0].load() is math.fsum and list(table) == ["umber"]
    assert table.text(given) == "umber,mine:2,math.fsum,builtins.round(ndigits=3)"
    with pytest.raises(TfsegError, match=r"colour math\.fsum was an object, which Python alone"):
        table.parse("umber,math.fsum")


def test_names_of_objects_have_what_is_plain():
    class Colour:
        def __init__(self):
            self.hue, self.name, self.odd, self.table = 0.5, "red", "a,b:c", {}

    assert object_name(Colour()).endswith("Colour(hue=0.5;name=red)")

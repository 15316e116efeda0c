"""Forms of text files."""

import gzip

import pytest

from recsys.source.text_files import TextForm, scan_text


def rows(path, **form):
    return scan_text(path, TextForm(**form), "row").collect().rows(named=True)


def test_every_field_is_text_without_blanks_around_it(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffid, name ,at\r\n007, Peter ,  \r\n")
    assert rows(tmp_path / "a.csv") == [{"row": 0, "id": "007", "name": "Peter", "at": None}]


def test_file_without_a_header_has_the_given_columns(tmp_path):
    (tmp_path / "u.data").write_text("1\t7\n2\t8\n")
    assert rows(tmp_path / "u.data", columns=("user", "item"))[0] == {"row": 0, "user": "1", "item": "7"}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_encoding(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("id;name\n1;Café\n".encode(encoding))
    assert rows(tmp_path / "a.csv", separator=";", encoding=encoding)[0]["name"] == "Café"


def test_encoding_of_a_compressed_file(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("name\nCafé\n".encode("latin-1")))
    assert rows(tmp_path / "a.csv.gz", encoding="latin-1")[0]["name"] == "Café"


def test_quotes_after_a_backslash(tmp_path):
    (tmp_path / "a.csv").write_text('"id";"title"\n"1";"Peter \\"Pan\\"; part 1"\n')
    assert rows(tmp_path / "a.csv", separator=";", escape="\\")[0]["title"] == 'Peter "Pan"; part 1'


def test_null_texts(tmp_path):
    (tmp_path / "a.csv").write_text("id,price\n\\N,1\n2, NULL\n")
    assert [(row["id"], row["price"]) for row in rows(tmp_path / "a.csv", nulls=("\\N", "NULL"))] == [(None, "1"), ("2", None)]

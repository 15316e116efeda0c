import polars as pl

from recsys.data.store.spool import Spool


def test_columns_come_back_in_file_order_with_their_types(tmp_path):
    frame = pl.LazyFrame({"id": ["b", None, "a"], "list": [[1], [], None], "unread": [1, 2, 3]})
    spool = Spool.write(frame, ["list", "id", "list"], tmp_path / "spool.arrow")
    assert spool.column("id").to_list() == ["b", None, "a"]
    assert spool.column("list").to_list() == [[1], [], None]
    assert pl.scan_ipc(spool.path).collect_schema().names() == ["list", "id"]

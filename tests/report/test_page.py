from recsys.report.page import write_page


def test_the_page_is_the_same_each_time(retrieval):
    run = retrieval("a")
    before = {path.name for path in run.iterdir()}
    first = write_page(run).read_bytes()
    assert write_page(run).read_bytes() == first
    assert {path.name for path in run.iterdir()} == before | {"report.html"}

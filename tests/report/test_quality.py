"""Quality in Markdown, from metrics written by hand."""

from recsys.report.release import quality

RETRIEVAL = {
    "val/recall@20": 0.148,
    "test/recall@20": 0.147,
    "test/recall@20/low": 0.1412,
    "test/recall@20/high": 0.1528,
    "test/users": 3258.0,
    "test/users_left_out": 73.0,
    "baseline/ease/test/recall@20": 0.1166,
    "baseline/popularity/test/recall@20": 0.0415,
    "oracle/test/recall@20": 0.2578,
    "test/country=DE/recall@20": 0.15,
    "test/country=DE/users": 900.0,
    "test/country=FR/recall@20": 0.09,
    "test/country=FR/users": 1200.0,
}
RANKING = {
    "val/click/auc": 0.685,
    "test/click/rows": 93320.0,
    "test/click/positives": 12493.0,
    "test/click/auc": 0.6902,
    "test/click/auc/low": 0.6858,
    "test/click/auc/high": 0.6951,
    "test/click/ece": 0.0052,
    "test/click/predicted_over_actual": 0.9899,
    "baseline/prior/test/click/auc": 0.5,
    "baseline/prior/test/click/ece": 0.0012,
    "test/device=web/click/auc": 0.7,
    "test/device=web/click/rows": 40000.0,
    "test/device=tablet/click/auc": 0.65,
    "test/device=tablet/click/rows": 1300.0,
}


def lines(metrics, **names):
    return "\n".join(quality(metrics, names)).splitlines()


def test_retriever_stands_among_its_baselines_best_first():
    text = lines(RETRIEVAL, retrieval="two_tower")
    start = text.index("| **two_tower** | 0.1470 (0.141–0.153) |")
    assert text[start - 2 : start + 5] == [
        "|  | recall@20 |",
        "| --- | ---: |",
        "| **two_tower** | 0.1470 (0.141–0.153) |",
        "| ease | 0.1166 |",
        "| popularity | 0.0415 |",
        "| oracle | 0.2578 |",
        "| validation | 0.1480 |",
    ]
    assert any(line.startswith("### ") and "3,258 of 3,331 users (73 have" in line for line in text)
    assert any(line.startswith("two_tower is ahead of every baseline: recall@20 0.1470 against 0.1166 of ease") for line in text)


def test_groups_of_users_come_worst_first():
    text = lines(RETRIEVAL, retrieval="two_tower")
    worst = text.index("| country | FR | 1,200 | 0.0900 |")
    assert text[worst + 1] == "| country | DE | 900 | 0.1500 |"


def test_label_has_its_metrics_with_intervals_and_counts():
    text = lines(RANKING, ranking="mmoe")
    assert "### click: 93,320 impressions, 12,493 positive" in text
    start = text.index("|  | auc | ece | pred./actual |")
    assert text[start + 2 : start + 5] == [
        "| **mmoe** | 0.6902 (0.686–0.695) | 0.0052 | 0.9899 |",
        "| prior | 0.5000 | 0.0012 | – |",
        "| validation | 0.6850 | – | – |",
    ]


def test_groups_of_impressions_come_worst_first():
    text = lines(RANKING, ranking="mmoe")
    worst = text.index("| device | tablet | 1,300 | 0.6500 | – |")
    assert text[worst + 1] == "| device | web | 40,000 | 0.7000 | – |"


def test_groups_of_a_label_without_auc_are_ordered_by_what_is_worse_when_larger():
    metrics = {"test/buy/rows": 9.0, "test/buy/log_loss": 0.2, "test/a=x/buy/log_loss": 0.1, "test/a=y/buy/log_loss": 0.4}
    text = lines(metrics, ranking="mmoe")
    assert text.index("| a | y | – | 0.4000 |") + 1 == text.index("| a | x | – | 0.1000 |")


def test_untested_weights_are_said_to_be_untested():
    text = lines({"val/recall@20": 0.148, "val/click/auc": 0.685, "val/click/rows": 10.0}, retrieval="two_tower", ranking="mmoe")
    assert "These weights were not tested: the figures are of validation, which they may have been chosen by." in text
    assert "| **two_tower** | 0.1480 |" in text
    assert "| **mmoe** | 0.6850 |" in text
    assert not any("validation |" in line or "looked at once" in line for line in text)


def test_pair_shows_what_ranking_made_of_the_candidates():
    pair = {"pair/test/candidates": 200.0, "pair/test/users": 3258.0}
    pair |= {"pair/retriever/test/recall@20": 0.147, "pair/test/recall@20": 0.0755}
    text = lines(RANKING | pair, ranking="mmoe")
    assert "### Retrieve 200, then rank: 3,258 test users" in text
    start = text.index("| retriever | 0.1470 |")
    assert text[start + 1] == "| **pair** | 0.0755 |"


def test_a_group_named_by_the_data_cannot_break_the_table():
    text = lines({"test/recall@20": 0.1, "test/brand=a|b/recall@20": 0.2}, retrieval="two_tower")
    assert "| brand | a\\|b | – | 0.2000 |" in text


def test_nothing_measured_is_nothing_said():
    assert lines({}, retrieval="two_tower", ranking="mmoe") == []

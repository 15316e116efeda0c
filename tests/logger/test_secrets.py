"""Passwords and keys stay on the machine; everything else is told."""

import pytest

from recsys.logger.artifacts import without_secrets


@pytest.mark.parametrize(
    "name", ["api_key", "WANDB_API_KEY", "password", "db_passwd", "client_secret", "token", "hf_token", "aws_secret_access_key"]
)
def test_text_under_such_a_name_is_hidden(name):
    assert without_secrets({"data": {name: "hush"}}) == {"data": {name: "hidden"}}
    assert without_secrets(f"train.py data.{name}=hush seed=1") == f"train.py data.{name}=hidden seed=1"


@pytest.mark.parametrize("name", ["num_tokens", "tokens", "key", "monkey", "column", "user", "author"])
def test_other_names_are_told(name):
    assert without_secrets({name: "kept"}) == {name: "kept"}


def test_numbers_lists_and_nothing_stay_what_they_are():
    document = {"seed": 0, "tags": ["a", "b"], "group": None, "share": 0.5, "on": True}
    assert without_secrets(document) == document


def test_addresses_lose_who_logs_in():
    assert without_secrets(["https://me:hush@host/x?a=b@c"]) == ["https://hidden@host/x?a=b@c"]

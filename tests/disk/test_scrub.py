"""Passwords and keys stay on the machine; everything else is told."""

import logging
from pathlib import Path

import pytest

from recsys.disk.scrub import HIDDEN, ScrubbedFormatter, argument_without_secrets, without_secrets

NAMES = ["api_key", "WANDB_API_KEY", "password", "db_passwd", "client_secret", "token", "hf_token", "aws_secret_access_key", "account_key"]
TEXTS = {
    "address": "s3://me:hunter22@host/shop",
    "address_as_a_path": str(Path("s3://me:hunter22@host/shop")),
    "address_as_an_absolute_path": str(Path("s3://me:hunter22@host/shop").absolute()),
    "user_alone": "https://hunter22@host/x",
    "at_within_the_password": "postgresql://me:hunter22@hunter22@host/x",
    "slash_within_the_password": "s3://me:hunter22/hunter22@host/x",
    "double_quoted": 'password="two hunter22 words"',
    "single_quoted": "data.password='two hunter22 words'",
    "as_a_shell_quotes": "train.py 'data.password=two hunter22 words' seed=1",
    "json": '{"password": "hunter22, and \\"hunter22", "seed": 1}',
    "python": "{'secret': 'hunter22', 'seed': 1}",
    "yaml": "password: hunter22\nseed: 1",
    "hydra": "+store={password: hunter22, x: 1}",
    "amazon": "https://b.s3.amazonaws.com/x?X-Amz-Credential=hunter22%2F2026&X-Amz-Date=1&X-Amz-Signature=hunter22",
    "amazon_session": "https://b/x?X-Amz-Security-Token=hunter22&versionId=1",
    "amazon_before": "https://b/x?AWSAccessKeyId=hunter22&Signature=hunter22%3D&Expires=1",
    "google": "https://storage.googleapis.com/x?X-Goog-Signature=hunter22&X-Goog-Expires=1",
    "azure": "https://a.blob.core.windows.net/x?sv=2026&se=1&sig=hunter22%3D",
    "azure_connection": "DefaultEndpointsProtocol=https;AccountKey=hunter22==;x",
    "token_of_an_address": "https://host/x?access_token=hunter22",
    "bearer": "Authorization: Bearer hunter22.hunter22-x",
    "basic": "Authorization: Basic hunter22==",
    "bearer_alone": "it answered 401 to bearer hunter22",
}
PLAIN = [
    "https://host:8080/x?page=2",
    "s3://bucket/folder/part-0.parquet",
    "python train.py data.root=/srv/x seed=1 'gate.min={test/recall@20: 0.1}'",
    "no column 'token' in interactions.parquet; did you mean 'tokens'?",
    "num_tokens=5, tokens: 7, author=me, key: 3, monkey=x",
    "mail me@example.org at 12:30",
    "torch.optim.AdamW, step 1:2, C:/data/x",
]


@pytest.mark.parametrize("name", NAMES)
def test_text_under_such_a_name_is_hidden(name):
    assert without_secrets({"data": {name: "hush"}}) == {"data": {name: HIDDEN}}
    assert without_secrets(f"train.py data.{name}=hush seed=1") == f"train.py data.{name}={HIDDEN} seed=1"
    assert argument_without_secrets(f"data.{name}=hush, hush & hush") == f"data.{name}={HIDDEN}"


@pytest.mark.parametrize("name", ["num_tokens", "tokens", "key", "monkey", "column", "user", "author"])
def test_other_names_are_told(name):
    assert without_secrets({name: "kept"}) == {name: "kept"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_secret_within_a_text_is_hidden(text):
    for hidden in (without_secrets(text), argument_without_secrets(text), without_secrets({"x": [text]})["x"][0]):
        assert "hunter22" not in hidden
        assert HIDDEN in hidden


@pytest.mark.parametrize("text", PLAIN)
def test_text_without_a_secret_stays(text):
    assert without_secrets(text) == argument_without_secrets(text) == text


def test_the_rest_of_a_text_stays():
    assert without_secrets("https://me:hush@host/x?a=b@c") == f"https://{HIDDEN}@host/x?a=b@c"
    assert without_secrets("https://b/x?X-Amz-Date=1&X-Amz-Signature=hush&n=2") == f"https://b/x?X-Amz-Date=1&X-Amz-Signature={HIDDEN}&n=2"


def test_numbers_lists_and_nothing_stay_what_they_are():
    document = {"seed": 0, "tags": ["a", "b"], "group": None, "share": 0.5, "on": True, "password": None, "token": ""}
    assert without_secrets(document) == document


def test_a_log_line_hides_secrets_of_its_message_and_of_its_trace():
    try:
        raise OSError("cannot open s3:/me:hunter22@host/x")
    except OSError as error:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "at %s", ("s3:/me:hunter22@host",), (OSError, error, error.__traceback__))
    line = ScrubbedFormatter("%(message)s").format(record)
    assert "hunter22" not in line
    assert "OSError: cannot open" in line


def test_a_long_text_takes_no_long_time():
    without_secrets("a-" * 100_000 + "://" + "x:" * 100_000)

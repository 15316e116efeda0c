"""The processor that this process runs on."""

import pytest

from recsys.serve.golden import FLAGS, processor, processor_words

INTEL = """processor\t: 0
model name\t: Intel(R) Xeon(R) 4
flags\t\t: fpu avx2 avx512f avx512_vnni avx_vnni_int8 amx_int8

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_model_and_flags_are_those_of_the_first_core(tmp_path):
    (tmp_path / "cpuinfo").write_text(INTEL)
    facts = processor(tmp_path / "cpuinfo")
    assert facts == {"model": "Intel(R) Xeon(R) 4", "flags": ["avx2", "avx512f", "avx512_vnni", "amx_int8"]}
    assert processor_words(facts) == "Intel(R) Xeon(R) 4 (avx2, avx512f, avx512_vnni, amx_int8)"


@pytest.mark.parametrize("text", [None, "", "CPU part\t: 0xd0c\nFeatures\t: asimd\n"])
def test_without_these_facts_there_is_a_name_and_no_flag(tmp_path, text):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    facts = processor(tmp_path / "cpuinfo")
    assert facts["flags"] == []
    assert facts["model"]
    assert "amx_int8" in processor_words(facts)


def test_this_processor_has_known_flags():
    assert set(processor()["flags"]) <= set(FLAGS)

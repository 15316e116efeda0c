from recsys.seeds import seed_of


def test_seeds_differ_by_every_part_and_fit_into_torch():
    seeds = {seed_of(*parts) for parts in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), ("dropout", 0, 0, 0), (0, 0), (00, 10)]}
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seed_is_that_of_the_definition():
    # python3 -c "import hashlib; print(int.from_bytes(hashlib.blake2b(b'7 3 1', digest_size=8).digest(), 'little') // 2)"
    assert seed_of(7, 3, 1) == 7145252514274115766

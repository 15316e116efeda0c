"""Speed as a ratio to a peer, or to the limit of the machine, measured in one run: python -m benchmarks --help."""

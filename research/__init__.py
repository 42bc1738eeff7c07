"""The laboratory: training, the composer of the samples, evaluation and benchmarks. No user has it."""

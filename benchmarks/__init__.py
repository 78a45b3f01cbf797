"""What an answer costs, against the physical limit and against what people use today: `python -m benchmarks`."""

"""What imagekin costs and how well it finds, measured: ``python -m benchmarks --help``.

Every section runs its contestants interleaved in one run, writes one JSON record to ``benchmarks/records``, and fails
only when an answer is wrong, never because of a timing.  ``python -m benchmarks report`` derives docs/benchmarks.md
from the newest records.
"""

"""Tests in tiers (``unit``, ``integration``, ``crash``), the benchmarks, and the sandbox that they and the demo use."""

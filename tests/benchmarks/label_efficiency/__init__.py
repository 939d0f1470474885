"""How many labels a rule of choice saves, on fixed pools and with models that drive the MD.

See docs/benchmarks.md#label-efficiency.
"""

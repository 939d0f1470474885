"""pwact collects training data for machine-learned force fields by active learning."""

__version__ = "0.5.0"

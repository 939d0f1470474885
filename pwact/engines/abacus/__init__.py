"""ABACUS, by its documented formats."""

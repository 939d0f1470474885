"""Quantum ESPRESSO: pw.x."""

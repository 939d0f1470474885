"""What stages have in common: task directories, program runs, physical limits."""

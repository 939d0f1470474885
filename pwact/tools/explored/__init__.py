"""What was explored: limits on trial, and pictures."""

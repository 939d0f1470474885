"""The chain that makes the first data: its entries and its steps."""

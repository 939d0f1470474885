"""How a campaign stands."""

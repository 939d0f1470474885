"""The facts of a campaign for its page."""

"""Campaigns that PWact began: what it left, and how they are continued."""

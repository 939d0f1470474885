"""The stages of a campaign, one file each."""

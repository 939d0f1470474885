"""Rules that choose which candidates are labelled. Their contract: `pwact.query.picks`."""

from __future__ import annotations

from pwact.registry import Entry, Registry

PICKS: Registry[Entry] = Registry(
    {
        "random": Entry("pwact.query.picks:RandomPick"),
        "variance": Entry("pwact.query.variance:VariancePick"),
        "diverse": Entry("pwact.query.diverse:DiversePick"),
        "top": Entry("pwact.query.diverse:TopPick"),
    }
)

"""Labels by content: the store, and each structure labelled once."""

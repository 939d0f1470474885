"""Which frames are uncertain enough to be labelled."""

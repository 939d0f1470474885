"""Where jobs run, and how they are watched."""

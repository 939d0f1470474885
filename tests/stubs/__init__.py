"""Stand-ins for programs that cannot be installed. They refuse what the programs would refuse."""

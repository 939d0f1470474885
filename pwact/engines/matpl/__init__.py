"""MatPL: deep potentials and NEP, and its Kalman prediction uncertainty."""

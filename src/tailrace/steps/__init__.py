"""Pure: what to execute for each kind of step, as values; the runner acts on them."""

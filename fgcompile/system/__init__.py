"""Files and the machine, for whoever needs them."""

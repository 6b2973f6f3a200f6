"""Start somebody's app with the probe inside, drive it, stop it, keep what was seen."""

"""The cured edition: the same contract as one would run it in production."""

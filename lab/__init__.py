"""The lab: sick and cured pairs, a realistic shop, and the real services that they run on."""

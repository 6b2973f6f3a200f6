"""Hooks by library: one small module each, listing its hook classes in `HOOKS`."""

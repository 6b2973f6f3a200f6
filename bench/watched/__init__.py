"""The cured shop as its peers watch it: one module a tool, each with an ASGI `app`."""

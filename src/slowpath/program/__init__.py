"""The parsed project: modules, functions, types as far as known, call graph, effects."""

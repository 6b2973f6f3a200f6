"""The simulator: replays a recording as a queueing system, edited or not."""

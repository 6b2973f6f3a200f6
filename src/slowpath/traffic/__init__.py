"""What to send to the app, and the sending of it."""

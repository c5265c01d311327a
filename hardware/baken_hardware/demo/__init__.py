"""A whole virtual region on this machine, and the exercise that is played in it."""

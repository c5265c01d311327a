"""The Meshtastic node as state machines: frames and the time go in, events come out."""

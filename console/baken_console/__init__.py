"""The console: a replica of the noticeboard with a screen for the crisis room, and commands for scripts."""

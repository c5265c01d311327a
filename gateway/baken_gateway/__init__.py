"""The gateway: a replica of the noticeboard between a radio on a serial port and MQTT."""

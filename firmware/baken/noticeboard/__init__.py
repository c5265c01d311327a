"""The noticeboard: authenticated records, the replica that holds them and the gossip that spreads them.
Sans-IO.
"""

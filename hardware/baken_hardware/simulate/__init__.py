"""The mesh simulator: the real MeshNode, Gossip and Replica of up to thousands of nodes on a modelled radio
channel, in virtual time. `baken-bench simulate` runs it; docs/simulator.md says what it models.

    maps       where nodes are and how strongly they hear each other
    channel    the air: who receives which frame
    station    one node: the engines of the core, joined as the node program joins them
    world      all of them and the clock
    memo       pure functions that are worked out once for all nodes
    scenarios  what happens: bulletins, power cuts, a cut that heals, a liar
    results    figures out of what happened
    pool       many runs on all cores
    plots      pictures
    command    `baken-bench simulate`
"""

"""Measures how long training, its parts and the gradient check take.

__main__        the command `python -m experiments.speed`, and the list of its parts
start           the whole training command, and its checkpoints
steps           a training step with each gradient
checks          the gradient check
peers           training in other libraries
cost_by_size    the cost of an example against the size of the network, the batch and the data
device_scaling  two processes compared with one, and a model for more devices
peer_programs   the programs in the other libraries
"""

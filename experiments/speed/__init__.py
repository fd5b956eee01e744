"""Measures how long training, its parts and the gradient check take.

__main__        the command `python -m experiments.speed`, and the list of its parts
start           the whole training command, and its checkpoints
steps           a training step with each gradient
checks          the gradient check
peers           training in other libraries
cost_by_size    the training time per example, for each size of network, batch and data
device_scaling  two processes compared with one, and a model for more devices
peer_programs   the training programs that `peers` times, one for each library
"""

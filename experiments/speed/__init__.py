"""How long training, its parts and the gradient check take.

__main__      the command `python -m experiments.speed`, and the list of its parts
steps         a training step with each gradient
checks        the gradient check
checkpoints   what checkpoints add to a run
peers         training in other libraries
curves        the cost of an example against the size of the network, the batch and the data
programs      the programs in these libraries
timing        timing a call, and several things in turn; counting operations
"""

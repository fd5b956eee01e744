"""A local page to draw a digit on. It shows the derivatives of the drawing's cost.

__main__     the command: its options, its port, and loading the run
server       the routes, and the requests that they refuse
answers      the form of a request, and the answer to it
drawing      converting strokes into the input image of the network
derivatives  the handwritten and autodiff derivatives, and a step of gradient descent
"""

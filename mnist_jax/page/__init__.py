"""A local page to draw a digit on, which shows the derivatives of the cost of the drawing.

__main__     the command: its options, its port, and loading the run
server       the routes, and what they refuse
answers      the form of a request, and the answer to it
drawing      strokes made into the image that the network sees
derivatives  the handwritten derivatives and autodiff's, compared, and one step along the gradient
"""

"""Opaque code held to its plain definition: outputs and gradients, within the definition's own bounds.

`definition` records the definition as a graph, `bounds` evaluates that graph in bounded arithmetic,
`trials` varies the inputs, `candidate` asks the code in question, `hold` compares.
"""

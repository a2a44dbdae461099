"""The napari plugin: reader, sample data, fusion and traces; ``napari.yaml`` lists them.

Nothing is imported before napari asks for it, and Qt only in the room ``qt``.
"""

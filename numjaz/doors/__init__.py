"""The doors through which files come in and go out, each with its guards.

Nothing outside this room opens an HDF5 file, a zip archive or a pickle for reading, or writes an output
file. Knows nobody.
"""

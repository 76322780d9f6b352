"""Decoding of files that strangers sent, in a process that can do nothing else.

`AudioDecoder` starts one server process (`server`) beside the worker. For each file the server forks a decoder, which
gives up what it may do (`sandbox`), decodes with `model.audio`, and sends blocks of sound (`messages`).
"""

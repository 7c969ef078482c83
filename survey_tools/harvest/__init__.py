"""Titles and abstracts from arXiv: the only room with a network cable.

A request goes through the gate (`politeness`), is sent by the wire (`wire`), read by a strict
parser (`atom`, `oai`) and lands in the store (`store`) together with its checkpoint.
"""

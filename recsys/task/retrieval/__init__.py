"""The task of finding the items of a catalogue that a user will choose next."""

from recsys.task.retrieval.module import Retrieval as Retrieval
